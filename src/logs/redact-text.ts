import { Matcher } from "./matcher.ts";
import { patternsOf } from "./secret-patterns.ts";
import { findSecrets } from "./secrets.ts";

/**
 * Replaces every secret in a text by `***`, in every spelling that the log masks. For texts of the service, such as
 * messages.
 */
export function redactText(text: string, secrets: readonly string[]): string {
  const patterns = secrets.flatMap(patternsOf);
  if (patterns.length === 0 || text === "") return text;
  const bytes = Buffer.from(text);
  const [, spans] = findSecrets(new Matcher(patterns), bytes, 0, bytes.length, true);
  let shown = "";
  let at = 0;
  for (const { start, end } of spans) {
    shown += `${bytes.toString("utf8", at, start)}***`;
    at = end;
  }
  return shown + bytes.toString("utf8", at);
}
