/** Control characters and bidirectional formatting characters. */
const UNPRINTABLE = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;
/** The same except line ends, tabs and color sequences, which are captured and kept. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: matches control characters
const PLAYING = /(\x1b\[[0-9;]*m|[\n\t])|[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;

/**
 * Makes untrusted text safe for a terminal and for one line: control characters, so also escape codes, and bidirectional
 * formatting characters become `�`; line ends and tabs become spaces.
 */
export function printable(text: string): string {
  return text.replace(/\r?\n|\t/g, " ").replace(UNPRINTABLE, "\ufffd");
}

/** The same for text of several lines, whose line ends stay. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

/** Makes a line of results safe, which may hold untrusted text: all that controls a terminal except colors becomes `�`. */
export function harmless(line: string): string {
  return line.replace(PLAYING, (_, kept?: string) => kept ?? "\ufffd");
}
