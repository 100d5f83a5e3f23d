import { type Document, isAlias, isMap, isSeq, type Node } from "yaml";
import { isSecretPlace } from "../../rpc/secret-places.ts";
import { type Problem, placesIn } from "./nodes.ts";

/** Finds aliases without an anchor and merges of values that are no maps. The library finds them too, but names no line. */
export function aliasTroubles(document: Document): Problem[] {
  const problems: Problem[] = [];
  const anchors = new Map<string, Node>();
  for (const place of placesIn(document.contents)) {
    const { node } = place;
    const meant = meantBy(node);
    if (!isAlias(node) && node.anchor) anchors.set(node.anchor, node);
    if (isAlias(node) && meant === undefined)
      problems.push({
        ...place,
        description: `there is no ${isSecretPlace(place.path) ? "such anchor" : `&${node.source}`} before it`,
      });
    else if (place.role === "merged" && !isMap(meant) && !(isSeq(meant) && meant.items.every(isMapOrUnknown)))
      problems.push({ ...place, description: "the merge key << takes only a map or a list of maps" });
  }
  return problems;

  /** Value that a node stands for; undefined: an alias without an anchor, or of a value that contains it. */
  function meantBy(node: unknown): unknown {
    if (!isAlias(node)) return node;
    const anchor = anchors.get(node.source);
    return endOf(anchor) <= (node.range?.[0] ?? 0) ? anchor : undefined;
  }

  /** Unknown aliases pass, since they are reported by themselves. */
  function isMapOrUnknown(item: unknown): boolean {
    const meant = meantBy(item);
    return meant === undefined || isMap(meant);
  }
}

const endOf = (node: Node | undefined) => node?.range?.[1] ?? Number.POSITIVE_INFINITY;
