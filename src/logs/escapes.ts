/*
 * Removes escape sequences of terminals (ECMA-48) from bytes. The bytes are read as Latin-1, one character for each
 * byte. Bytes of a UTF-8 character are kept together, since the second byte of many characters equals a C1 code.
 */

/** A UTF-8 character of several bytes that is not a C1 code. */
const CHARACTER = String.raw`\xc2[\xa0-\xbf]|[\xc3-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}`;
/** SGR: colors and styles of text, and nothing else. */
const COLOR = String.raw`\x1b\[[0-9;:]*m`;
/** CSI: parameters, intermediates, one final byte; anything else ends it without being part of it. */
const CSI_START = String.raw`(?:\x1b\[|\xc2\x9b)`;
const CSI = `${CSI_START}[0-?]*[ -/]*[@-~]?`;
/**
 * OSC (titles, links, the clipboard), DCS, SOS, PM and APC: up to BEL or ST. Another escape or the line's end ends
 * them too.
 */
const STRING_START = String.raw`(?:\x1b[\]PX^_]|\xc2[\x90\x98\x9d-\x9f])`;
const STRING_BODY = String.raw`(?:${CHARACTER}|[^\x07\n\x1b\x80-\x9f\xc2]){0,100000}`;
const STRING = String.raw`${STRING_START}${STRING_BODY}(?:\x07|\x1b\\|\xc2\x9c)?`;
const SHORT_ESCAPE = String.raw`\x1b[ -/]*[0-~]?`;
/** C1 codes as UTF-8, or as the byte itself, which 8-bit terminals obey. */
const C1 = String.raw`\xc2?[\x80-\x9f]`;
const ESCAPE = [CSI, STRING, SHORT_ESCAPE, C1].join("|");
/** DEL, and C0 codes except BS, TAB, LF and CR. They ring, switch the character set, or make a terminal answer. */
const CONTROL = String.raw`[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]`;

/** Patterns of the bytes that are removed. Their first group is kept. */
const PATTERNS = {
  /** Matches all escape codes. */
  plain: new RegExp(`(${CHARACTER})|${ESCAPE}`, "g"),
  /** Matches all codes that change the state of a terminal. */
  text: new RegExp(`(${CHARACTER})|${ESCAPE}|${CONTROL}`, "g"),
  /** Matches all codes that change the state of a terminal, except colors. */
  colors: new RegExp(`(${CHARACTER}|${COLOR})|${ESCAPE}|${CONTROL}`, "g"),
  /** Matches only colors; all other bytes stay. */
  uncolored: new RegExp(`()${COLOR}`, "g"),
};

export type Cleaning = keyof typeof PATTERNS;

/**
 * Returns the text without escape codes, C1 codes included; all other bytes stay. Returns `text` itself if it has
 * none.
 */
export function stripEscapes(text: Buffer): Buffer {
  const latin1 = text.toString("latin1");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern matches control characters
  if (!/[\x1b\x80-\x9f]/.test(latin1)) return text;
  return Buffer.from(latin1.replace(PATTERNS.plain, "$1"), "latin1");
}

/** Cleans the bytes of a stream as they arrive. */
export interface EscapeFilter {
  /**
   * Returns the bytes that can be shown, of those held back before and of `data`. Holds back the beginning of a
   * sequence at the end.
   */
  write(data: Buffer): Buffer;
  /** Returns the bytes that were held back and are not a sequence, since nothing follows. */
  end(): Buffer;
}

/**
 * Matches, at the end of an unfinished line, bytes that may begin a sequence or a character. Of a string, its start
 * and a possible beginning of its terminator are held back, not its content.
 */
const OPEN = new RegExp(
  String.raw`(?:(${STRING_START})${STRING_BODY}([\x1b\xc2]?)|${CSI_START}[0-?]{0,200}[ -/]{0,200}|\x1b[ -/]{0,200}|[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})$`,
);
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern matches control characters
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
