import { mainSpellingsOf, spellingsOf } from "./spellings.ts";

/**
 * Shortest secret, or line of a secret, that is masked, in characters. A shorter one is part of ordinary words and
 * numbers: masking it would spoil the log, and reveal it to a reader who fills in the gaps.
 */
export const SHORTEST_SECRET = 4;
/** Shortest part of a longer base64 text that can be told from chance, in characters. */
const SHORTEST_CORE = 8;
/**
 * Longest pattern in bytes. Longer ones are split, since the text that is held back and the worst case grow with the
 * length.
 */
const LONGEST_PATTERN = 256;
/** Line widths of `openssl base64` and of `base64`; of `xxd -p`. */
const BASE64_WRAPS = [64, 76];
const HEX_WRAP = 60;
/**
 * A longer line of a secret, and every line of a longer secret, is masked in its main spellings alone. In characters.
 */
const LONGEST_LINE = 8 * 1024;
const LONGEST_SECRET = 32 * 1024;

/** Whether a secret is too short to be masked; white space around it does not count. */
export const isTooShort = (secret: string): boolean => secret.trim().length < SHORTEST_SECRET;

/**
 * Returns the patterns to look for to mask a secret; none if it is too short. They are the secret without white space
 * around it; each of its lines of 4 or more characters; the spellings of these (spellings.ts); its base64, also as a
 * part of longer base64; and its hexadecimal code.
 *
 * A secret whose lines are all masked by themselves is looked for as a whole in its main spellings alone, such as in
 * JSON: otherwise all output that ends like its first line (`{`, say) would be held back until more comes. No pattern
 * is longer than 256 bytes, so a part of a secret that is as long is masked too.
 */
export function patternsOf(secret: string): Buffer[] {
  const text = secret.trim();
  if (isTooShort(text)) return [];
  const lines = text.split("\n").map((line) => line.trim());
  const isMaskedByLines = lines.length > 1 && !lines.some(isShortWord);
  const isLong = text.length > LONGEST_SECRET;
  const spell = (part: string) =>
    isLong || part.length > LONGEST_LINE ? mainSpellingsOf(part) : spellingsOf(part);
  const whole = isMaskedByLines ? mainSpellingsOf(text) : spell(text);
  const byLine = lines.filter((line) => line.length >= SHORTEST_SECRET).flatMap(spell);
  const found = new Set([...whole, ...byLine, ...base64Forms(text), ...hexForms(text)]);
  const patterns = [...found].filter((pattern) => !isMaskedByLines || !pattern.includes("\n"));
  return patterns.flatMap((pattern) => pieces(Buffer.from(pattern)));
}

/** Splits a pattern into overlapping pieces, so that a whole occurrence is masked as one. */
function pieces(pattern: Buffer): Buffer[] {
  const count = Math.max(1, Math.ceil((pattern.length - 1) / (LONGEST_PATTERN - 1)));
  return Array.from({ length: count }, (_, i) => {
    const start = Math.max(0, Math.min(i * (LONGEST_PATTERN - 1), pattern.length - LONGEST_PATTERN));
    return pattern.subarray(start, start + LONGEST_PATTERN);
  });
}

function isShortWord(line: string): boolean {
  return line.length < SHORTEST_SECRET && /[\p{L}\p{N}]/u.test(line);
}

/** Returns the base64 of a text, also with the newline that `echo` adds, and as it appears in longer base64. */
function base64Forms(text: string): string[] {
  const bytes = Buffer.from(text);
  const whole = [text, `${text}\n`].map((value) => Buffer.from(value).toString("base64"));
  const cores = [0, 1, 2].map((before) => base64Core(bytes, before));
  const lines = BASE64_WRAPS.flatMap((width) => wrap(cores[0] as string, width));
  const forms = [...whole, ...whole.map((form) => form.replaceAll("=", "")), ...cores, ...lines];
  return forms.filter((form) => form !== "").flatMap((form) => [form, urlSafe(form)]);
}

/**
 * Returns the characters of base64 that do not depend on the bytes around `bytes`, if `before` (mod 3) bytes precede
 * them.
 */
function base64Core(bytes: Buffer, before: number): string {
  const all = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64");
  const core = all.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
  return core.length >= SHORTEST_CORE ? core : "";
}

function hexForms(text: string): string[] {
  const code = Buffer.from(text).toString("hex");
  return [code, ...wrap(code, HEX_WRAP)].flatMap((form) => [form, form.toUpperCase()]);
}

function wrap(code: string, width: number): string[] {
  if (code.length <= width) return [];
  const lines = code.match(new RegExp(`.{1,${width}}`, "g")) ?? [];
  return lines.filter((line) => line.length >= SHORTEST_CORE);
}

function urlSafe(code: string): string {
  return code.replaceAll("+", "-").replaceAll("/", "_");
}
