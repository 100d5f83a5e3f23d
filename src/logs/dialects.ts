/*
 * Dialects: how programs write a text that they quote, escape or encode. A dialect returns the text that it writes
 * for a character; ASCII letters and digits stand for themselves in every dialect. Dialects that agree on a text make
 * one spelling of it.
 */
export type Dialect = (char: string) => string;

/** Characters that dialects may write differently. */
export const SPECIAL = /[^A-Za-z0-9]/gu;

export const json = (text: string): string => JSON.stringify(text).slice(1, -1);
export const asciiJson = (text: string): string => json(text).replace(/[\u007f-\uffff]/g, unitCode(asIs));

export const asIs: Dialect = (char) => char;
export const upper = (text: string): string => text.toUpperCase();
export const CASES = [asIs, upper];
export const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, "0");
export const codeOf = (char: string): number => char.codePointAt(0) ?? 0;
/** Writes a UTF-16 unit as its code in JSON. */
const unitCode =
  (casing: Dialect): Dialect =>
  (unit) =>
    `\\u${casing(hex(unit.charCodeAt(0), 4))}`;
export const isAscii = (char: string): boolean => char < "\x80";
const escaping =
  (chars: RegExp): Dialect =>
  (char) =>
    chars.test(char) ? `\\${char}` : char;
const doubling =
  (quote: string): Dialect =>
  (char) =>
    char === quote ? quote + quote : char;

/** An apostrophe within single quotes, as sh and `set -x` write it, and as Python's shlex does. */
export const SINGLE_QUOTED: Dialect[] = [`'\\''`, `'"'"'`].map(
  (quoted) => (char) => (char === "'" ? quoted : char),
);

export const SHELL: Dialect[] = [
  ...SINGLE_QUOTED,
  // Within double quotes: `export -p` of bash.
  escaping(/[$`"\\]/),
  // Without quotes: `printf %q` of bash, and of zsh.
  escaping(/[\s"'\\|&;()<>!{}*[\]?^$`,]/),
  escaping(/[\s"'\\|&;()<>{}*[\]?^$`#]/),
  // Doubled within quotes: YAML, SQL and PowerShell; CSV.
  doubling("'"),
  doubling('"'),
];

const LETTERS: Readonly<Record<string, string>> = {
  "\x07": "a",
  "\b": "b",
  "\t": "t",
  "\n": "n",
  "\v": "v",
  "\f": "f",
  "\r": "r",
};

export const octalControl: Dialect = (char) =>
  `\\${LETTERS[char] ?? codeOf(char).toString(8).padStart(3, "0")}`;

/** Control characters in string literals: bash's `$'…'`, Python's repr, Node's inspect. */
const CONTROLS: Dialect[] = [
  (char) => (char === "\x1b" ? "\\E" : octalControl(char)),
  (char) => ("\t\n\r".includes(char) ? `\\${LETTERS[char]}` : `\\x${hex(codeOf(char), 2)}`),
  (char) => ("\b\t\n\v\f\r".includes(char) ? `\\${LETTERS[char]}` : `\\x${upper(hex(codeOf(char), 2))}`),
];

export const eachByte =
  (write: (byte: number) => string): Dialect =>
  (char) =>
    Array.from(Buffer.from(char), write).join("");

/** Characters beyond ASCII in string literals: as they are; their bytes, in octal or hexadecimal; their code points. */
const BEYOND_ASCII: Dialect[] = [
  asIs,
  eachByte((byte) => `\\${byte.toString(8)}`),
  ...CASES.map((casing) => eachByte((byte) => `\\x${casing(hex(byte, 2))}`)),
  ...CASES.map((casing): Dialect => {
    return (char) => {
      const code = codeOf(char);
      if (code < 0x100) return `\\x${casing(hex(code, 2))}`;
      return code < 0x10000 ? `\\u${casing(hex(code, 4))}` : `\\U${casing(hex(code, 8))}`;
    };
  }),
];

/** String literals of programs, which escape no quotes, single quotes, double quotes, or both. */
export const PROGRAM: Dialect[] = [/\\/, /[\\']/, /[\\"]/, /[\\'"]/].flatMap((quotes) =>
  CONTROLS.flatMap((control) =>
    BEYOND_ASCII.map((beyond): Dialect => {
      return (char) => {
        if (!isAscii(char)) return beyond(char);
        return /\p{Cc}/u.test(char) ? control(char) : escaping(quotes)(char);
      };
    }),
  ),
);

/** Characters that JSON libraries write as codes although they need not: most libraries none; Python; Go; Gson; .NET. */
const JSON_CODES = [/(?!)/, /[\u{7f}-\u{10ffff}]/u, /[<>&]/, /[<>&=']/, /[<>&'"+`\u{7f}-\u{10ffff}]/u];

export const JSON_DIALECTS: Dialect[] = JSON_CODES.flatMap((codes) =>
  CASES.flatMap((casing) =>
    // PHP escapes slashes.
    ["/", "\\/"].map((slash): Dialect => {
      return (char) => {
        const plain = char === "/" ? slash : json(char);
        const hasCode = codes.test(char) || plain.startsWith("\\u");
        return hasCode ? char.split("").map(unitCode(casing)).join("") : plain;
      };
    }),
  ),
);
