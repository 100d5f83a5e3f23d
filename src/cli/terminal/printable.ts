/**
 * Text of others made safe for a terminal and for one line: control characters (escape codes among them) and the marks
 * that turn the direction of writing become `�`, line ends and tabs a space.
 */
export function printable(text: string): string {
  return text.replace(/\r?\n|\t/g, " ").replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
}
