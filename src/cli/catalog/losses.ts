import { type Document, isNode, isScalar } from "yaml";
import { type Problem, placesIn } from "./nodes.ts";
import { TAGS } from "./tags.ts";

/** Tags whose values JSON has, and `!env` and `!file`, which other values replace. */
const KEPT = new Set([
  ...["str", "int", "float", "bool", "null", "map", "seq", "merge"].map(
    (name) => `tag:yaml.org,2002:${name}`,
  ),
  ...TAGS.map(({ tag }) => tag),
]);

/** Returns an error for each value that JSON would change: sets, dates, bytes, values with unknown tags, broken Unicode. */
export function findLosses(document: Document): Problem[] {
  return [...placesIn(document.contents)].flatMap((place) => {
    const { node } = place;
    if (isNode(node) && "tag" in node && node.tag && !KEPT.has(node.tag)) {
      const tag = node.tag.replace("tag:yaml.org,2002:", "!!");
      return [{ ...place, description: `JSON has no values with the tag ${tag}; write it without` }];
    }
    if (isScalar(node) && typeof node.value === "string" && !node.value.isWellFormed())
      return [{ ...place, description: "cannot be stored, since it has half a surrogate pair in it" }];
    return [];
  });
}
