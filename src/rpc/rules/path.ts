import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { isOpaque } from "./to-plain.ts";

/**
 * Returns a path in a plain message as text, such as `survey[2].default` or `labels["x y"]`: fields by name, items of a list
 * by index, entries of a map or a Struct by quoted key.
 */
export function pathText(desc: DescMessage, path: readonly PropertyKey[]): string {
  let text = "";
  let inside: DescMessage | undefined = desc;
  let map: DescField | undefined;
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (inside === undefined || map !== undefined) {
      text += `[${JSON.stringify(String(step))}]`;
      inside = map?.message;
      map = undefined;
    } else {
      text += text === "" ? String(step) : `.${String(step)}`;
      const field: DescField | undefined = inside.fields.find(({ name }) => name === step);
      map = field?.fieldKind === "map" ? field : undefined;
      inside = field?.message && !isOpaque(field.message) ? field.message : undefined;
    }
  }
  return text;
}
