/** Control characters, and the marks that turn the direction of writing. */
const UNPRINTABLE = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;
/** The same but line ends, tabs, and the colors of this program's own. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is about them
const PLAYING = /(\x1b\[[0-9;]*m|[\n\t])|[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;

/**
 * Text of others made safe for a terminal and for one line: control characters (escape codes among them) and the marks
 * that turn the direction of writing become `�`, line ends and tabs a space.
 */
export function printable(text: string): string {
  return text.replace(/\r?\n|\t/g, " ").replace(UNPRINTABLE, "\ufffd");
}

/** The same for text of several lines, whose ends stay. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

/** A line of results, which may hold text of others: all that plays with a terminal but colors becomes `�`. */
export function harmless(line: string): string {
  return line.replace(PLAYING, (_, kept?: string) => kept ?? "\ufffd");
}
