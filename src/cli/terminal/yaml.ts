import type { Document } from "yaml";
import { escapeMarks, hasMarks } from "./json.ts";

/** YAML that is safe for a terminal. All text is quoted if it holds C1 codes or bidirectional formatting characters. */
export function yamlText(document: Document): string {
  const text = document.toString({ lineWidth: 0 });
  if (!hasMarks(text)) return text;
  const quoted = { defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "QUOTE_DOUBLE" } as const;
  return escapeMarks(document.toString({ lineWidth: 0, ...quoted }));
}
