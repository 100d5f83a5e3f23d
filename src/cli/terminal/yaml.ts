import type { Document } from "yaml";
import { escapeMarks, hasMarks } from "./json.ts";

/** A document as YAML that does nothing to a terminal: where C1 codes or marks of direction are in it, all text is quoted. */
export function yamlText(document: Document): string {
  const text = document.toString({ lineWidth: 0 });
  if (!hasMarks(text)) return text;
  const quoted = { defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "QUOTE_DOUBLE" } as const;
  return escapeMarks(document.toString({ lineWidth: 0, ...quoted }));
}
