import { mainSpellingsOf, spellingsOf } from "./spellings.ts";

/**
 * A secret, or a line of it, shorter than this is left alone: it stands in ordinary words and numbers, so that masking it
 * would spoil the log, and tell it to whoever fills in the words.
 */
export const SHORTEST_SECRET = 4;
/** Base64 that is only a part of a longer text must be at least this long to be told from chance. */
const SHORTEST_CORE = 8;
/** Longer ones are looked for in pieces: how much text must be held back, and the worst case, depend on it. */
const LONGEST_PATTERN = 256;
/** Where `openssl base64` and `base64` break their lines, and `xxd -p`. */
const BASE64_WRAPS = [64, 76];
const HEX_WRAP = 60;
/** A longer line of a secret, and every line of a longer secret, is hidden in its main spellings alone. */
const LONGEST_LINE = 8 * 1024;
const LONGEST_SECRET = 32 * 1024;

/** White space around a secret does not count. */
export const isTooShort = (secret: string): boolean => secret.trim().length < SHORTEST_SECRET;

/**
 * Everything to look for to hide `secret`: the secret without white space around it; each of its lines of 4 or more
 * characters; how programs write these (spellings.ts); its base64, also as part of something longer, and its hexadecimal
 * code. Empty for a secret that is too short. A secret whose lines all hide by themselves is not looked for as a whole, or
 * every output that ends like its first line (`{`, say) would be held back until more comes; only in its main spellings,
 * so that it hides as one in JSON. No pattern is longer than 256 bytes: parts of a secret that are as long hide too.
 */
export function patternsOf(secret: string): Buffer[] {
  const text = secret.trim();
  if (isTooShort(text)) return [];
  const lines = text.split("\n").map((line) => line.trim());
  const hidesByLines = lines.length > 1 && !lines.some(isShortWord);
  const isLong = text.length > LONGEST_SECRET;
  const spell = (part: string) =>
    isLong || part.length > LONGEST_LINE ? mainSpellingsOf(part) : spellingsOf(part);
  const whole = hidesByLines ? mainSpellingsOf(text) : spell(text);
  const byLine = lines.filter((line) => line.length >= SHORTEST_SECRET).flatMap(spell);
  const found = new Set([...whole, ...byLine, ...base64Forms(text), ...hexForms(text)]);
  const patterns = [...found].filter((pattern) => !hidesByLines || !pattern.includes("\n"));
  return patterns.flatMap((pattern) => pieces(Buffer.from(pattern)));
}

/** Pieces that overlap, so that a whole occurrence is hidden as one. */
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

/** Also with the newline that `echo` adds. */
function base64Forms(text: string): string[] {
  const bytes = Buffer.from(text);
  const whole = [text, `${text}\n`].map((value) => Buffer.from(value).toString("base64"));
  const cores = [0, 1, 2].map((before) => base64Core(bytes, before));
  const lines = BASE64_WRAPS.flatMap((width) => wrap(cores[0] as string, width));
  const forms = [...whole, ...whole.map((form) => form.replaceAll("=", "")), ...cores, ...lines];
  return forms.filter((form) => form !== "").flatMap((form) => [form, urlSafe(form)]);
}

/** The characters that do not depend on what stands around `bytes`, if `before` (mod 3) bytes stand before. */
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
