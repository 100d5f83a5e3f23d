/*
 * Escape sequences of terminals (ECMA-48) in bytes, which are read as Latin-1 here: one character for each byte. Bytes of
 * UTF-8 characters are kept together, since the second byte of many is the byte of a C1 code.
 */

/** A UTF-8 character of several bytes that is no C1 code. */
const CHARACTER = String.raw`\xc2[\xa0-\xbf]|[\xc3-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}`;
/** SGR: colors and styles of text, and nothing else. */
const COLOR = String.raw`\x1b\[[0-9;:]*m`;
/** CSI: parameters, intermediates, one final byte; anything else ends it without being part of it. */
const CSI_START = String.raw`(?:\x1b\[|\xc2\x9b)`;
const CSI = `${CSI_START}[0-?]*[ -/]*[@-~]?`;
/** OSC (titles, links, the clipboard), DCS, SOS, PM, APC: up to BEL or ST; another escape or the line's end ends it too. */
const STRING_START = String.raw`(?:\x1b[\]PX^_]|\xc2[\x90\x98\x9d-\x9f])`;
const STRING_BODY = String.raw`(?:${CHARACTER}|[^\x07\n\x1b\x80-\x9f\xc2]){0,100000}`;
const STRING = String.raw`${STRING_START}${STRING_BODY}(?:\x07|\x1b\\|\xc2\x9c)?`;
const SHORT_ESCAPE = String.raw`\x1b[ -/]*[0-~]?`;
/** As UTF-8, or as the byte itself, which terminals of 8 bits obey. */
const C1 = String.raw`\xc2?[\x80-\x9f]`;
const ESCAPE = [CSI, STRING, SHORT_ESCAPE, C1].join("|");
/** C0 codes but BS, TAB, LF and CR, and DEL: they ring, switch the character set, or make a terminal answer. */
const CONTROL = String.raw`[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]`;

/** What is taken away: all but the first group. */
const PATTERNS = {
  /** All escape codes. */
  plain: new RegExp(`(${CHARACTER})|${ESCAPE}`, "g"),
  /** All that plays with a terminal. */
  text: new RegExp(`(${CHARACTER})|${ESCAPE}|${CONTROL}`, "g"),
  /** The same, but colors. */
  colors: new RegExp(`(${CHARACTER}|${COLOR})|${ESCAPE}|${CONTROL}`, "g"),
  /** Colors alone: all other bytes stay as they are. */
  uncolored: new RegExp(`()${COLOR}`, "g"),
};

export type Cleaning = keyof typeof PATTERNS;

/** The text without escape codes, C1 codes included. All else stays. Returns `text` itself if there is nothing to remove. */
export function stripEscapes(text: Buffer): Buffer {
  const latin1 = text.toString("latin1");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is about them
  if (!/[\x1b\x80-\x9f]/.test(latin1)) return text;
  return Buffer.from(latin1.replace(PATTERNS.plain, "$1"), "latin1");
}

/** Cleans the bytes of a stream as they come. */
export interface EscapeFilter {
  /** What of these bytes, and of those held back, can be shown; the beginning of a sequence at the end is held back. */
  write(data: Buffer): Buffer;
  /** What was held back and is no sequence, since nothing follows. */
  end(): Buffer;
}

/** The beginning, at the end of a line that goes on, of what may be a sequence or a character. A string's is its start alone. */
const OPEN = new RegExp(
  String.raw`(?:(${STRING_START})${STRING_BODY}([\x1b\xc2]?)|${CSI_START}[0-?]{0,200}[ -/]{0,200}|\x1b[ -/]{0,200}|[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})$`,
);
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is about them
const OPEN_COLOR = /\x1b(?:\[[0-9;:]{0,200})?$/;

export function createEscapeFilter(cleaning: Cleaning): EscapeFilter {
  const pattern = PATTERNS[cleaning];
  const open = cleaning === "uncolored" ? OPEN_COLOR : OPEN;
  let held = "";
  return {
    write(data) {
      if (cleaning === "uncolored" && held === "" && !data.includes(0x1b)) return data;
      const text = held + data.toString("latin1");
      const line = text.slice(text.lastIndexOf("\n") + 1);
      const [begun = "", start, rest = ""] = open.exec(line) ?? [];
      held = start === undefined ? begun : start + rest;
      const whole = begun === "" ? text : text.slice(0, -begun.length);
      return Buffer.from(whole.replace(pattern, "$1"), "latin1");
    },
    end() {
      const left = held;
      held = "";
      return Buffer.from(left.replace(pattern, "$1"), "latin1");
    },
  };
}
