import { type Document, isAlias, isMap, isSeq, type Node } from "yaml";
import { isSecretPlace } from "../../rpc/secret-places.ts";
import { type Problem, placesIn } from "./nodes.ts";

/** Aliases of nothing, and merges of what is no map. The library finds them too, but says no line. */
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
      problems.push({ ...place, description: "only a map can be merged, or a list of maps" });
  }
  return problems;

  /** Undefined: an alias of nothing, or of what it is a part of. */
  function meantBy(node: unknown): unknown {
    if (!isAlias(node)) return node;
    const anchor = anchors.get(node.source);
    return endOf(anchor) <= (node.range?.[0] ?? 0) ? anchor : undefined;
  }

  /** An unknown one has a problem of its own. */
  function isMapOrUnknown(item: unknown): boolean {
    const meant = meantBy(item);
    return meant === undefined || isMap(meant);
  }
}

const endOf = (node: Node | undefined) => node?.range?.[1] ?? Number.POSITIVE_INFINITY;
