import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { Plain } from "./to-plain.ts";

/**
 * Whether a place in a request counts: of an update only what its mask names is written (AIP-134), so nothing else of
 * the resource can be wrong. Without a mask that is every field that is not empty; its name counts always.
 */
export function countsIn(
  desc: DescMessage,
  message: Message,
  plain: Plain,
): (path: readonly PropertyKey[]) => boolean {
  const field = desc.fields.find(({ name }) => name === "update_mask");
  const resource = desc.fields.find(
    ({ fieldKind, name }) => fieldKind === "message" && name !== "update_mask",
  );
  if (!field || !resource) return () => true;
  const mask = (message as unknown as { updateMask?: { paths: string[] } }).updateMask?.paths ?? [];
  const given = plain[resource.name];
  return ([first, ...inner]) =>
    first !== resource.name ||
    given === undefined ||
    inner[0] === "name" ||
    isMasked(mask, inner, given as Plain);
}

/** `inner` leads to the field that a path names, or into it; not to a message of which it names a part. */
function isMasked(mask: readonly string[], inner: readonly PropertyKey[], given: Plain): boolean {
  const [field] = inner;
  if (field === undefined) return mask.includes("*");
  if (mask.length === 0) return !isEmpty(given[String(field)]);
  return mask.some((path) => path === "*" || path.split(".").every((name, at) => name === inner[at]));
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return value === undefined || value === "" || value === 0 || value === 0n || value === false;
}
