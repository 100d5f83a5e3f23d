import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { Plain } from "./to-plain.ts";

/**
 * Returns a test whether a path of a request is validated. An update writes only the fields that its mask names (AIP-134),
 * without a mask all that are not empty; other fields of the resource are not validated. The resource's name always is, and
 * so is everything in other requests.
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

/** True if a mask path names the field at `inner` or a message around it, not if it names only a part of that field. */
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
