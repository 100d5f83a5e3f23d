import { isMap, isNode, isScalar, isSeq, type Node, Scalar } from "yaml";
import type { Path } from "./path.ts";

/** A node of a document, and the path from the root to its value. */
export interface Place {
  node: Node;
  path: Path;
  /** `merged`: the value of a key `<<`, which is merged into the map around it. */
  role: "key" | "value" | "merged";
}

/** Error at a place of a document. */
export interface Problem extends Place {
  description: string;
}

/** Yields a node and all nodes in it, in the order of the document. */
export function* placesIn(node: unknown, path: Path = [], role: Place["role"] = "value"): Generator<Place> {
  if (!isNode(node)) return;
  yield { node, path, role };
  if (isMap(node)) {
    for (const { key, value } of node.items) {
      const merges = isScalar(key) && key.value === "<<" && key.type === Scalar.PLAIN;
      const at = [...path, merges ? "<<" : String(key)];
      yield* placesIn(key, at, "key");
      yield* placesIn(value, at, merges ? "merged" : "value");
    }
  } else if (isSeq(node)) {
    for (const [index, item] of node.items.entries()) yield* placesIn(item, [...path, index]);
  }
}
