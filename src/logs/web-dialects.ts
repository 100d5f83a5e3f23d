import { asIs, CASES, codeOf, type Dialect, eachByte, hex, isAscii, SPECIAL, upper } from "./dialects.ts";

/**
 * Characters that stay as they are in URLs: by encodeURIComponent; RFC 3986; Python's quote; forms; encodeURI; Go's
 * PathEscape; in the user info of a URL.
 */
const URL_SAFE = [
  /[\w.~!*'()-]/,
  /[\w.~-]/,
  /[\w.~/-]/,
  /[\w.*-]/,
  /[\w.~!*'();/?:@&=+$,#-]/,
  /[\w.~$&+=:@-]/,
  /[\w.~!$&'()*+,%-]/,
];

export const URLS: Dialect[] = URL_SAFE.flatMap((safe) =>
  CASES.flatMap((casing) =>
    ["+", "%20"].map((space): Dialect => {
      const encode = eachByte((byte) => `%${casing(hex(byte, 2))}`);
      return (char) => {
        if (char === " ") return space;
        return isAscii(char) && safe.test(char) ? char : encode(char);
      };
    }),
  ),
);

/** References of HTML and XML by name. */
const NAMES: Readonly<Record<string, string>> = {
  "&": "amp",
  "<": "lt",
  ">": "gt",
  '"': "quot",
  "'": "apos",
};
const NUMBERS: Dialect[] = [
  (char) => `&#${codeOf(char)};`,
  (char) => `&#${String(codeOf(char)).padStart(3, "0")};`,
  ...CASES.flatMap((casing) =>
    [1, 4].map(
      (digits): Dialect =>
        (char) =>
          `&#x${casing(hex(codeOf(char), digits))};`,
    ),
  ),
  // Mustache.
  (char) => (char === "'" ? "&#39;" : `&#x${upper(hex(codeOf(char), 2))};`),
];

/** Characters that libraries for HTML and XML write as references: by name, and by number. */
const REFERENCES: [named: string, numbered: RegExp][] = [
  ["&<>", /(?!)/],
  ["&<>", /["']/],
  ["&<>", /["'+]/],
  ['&<>"', /(?!)/],
  ['&<>"', /['\n\r\t]/],
  ['&<>"', /['`=]/],
  ['&<>"', /['`=/]/],
  ["&<>\"'", /(?!)/],
  ["&<>\"'", /[\n\r\t]/],
  ["", /[&<>"']/],
  ["", SPECIAL],
];

export const MARKUP: Dialect[] = REFERENCES.flatMap(([named, numbered]) =>
  NUMBERS.flatMap((number) =>
    [asIs, number].map((beyond): Dialect => {
      return (char) => {
        if (named.includes(char)) return `&${NAMES[char]};`;
        if (!isAscii(char)) return beyond(char);
        return char.search(numbered) >= 0 ? number(char) : char;
      };
    }),
  ),
);
