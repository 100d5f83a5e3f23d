import {
  asciiJson,
  asIs,
  type Dialect,
  isAscii,
  JSON_DIALECTS,
  json,
  octalControl,
  PROGRAM,
  SHELL,
  SINGLE_QUOTED,
  SPECIAL,
} from "./dialects.ts";
import { MARKUP, URLS } from "./web-dialects.ts";

/** A set of dialects. */
interface Notation {
  dialects: readonly Dialect[];
  /** Cached replacements of each dialect, by character. */
  remembered: Map<string, readonly string[]>;
}

/**
 * Returns all spellings of `text`, itself included: those of shells, string literals, JSON, URLs, HTML and XML; those
 * of shells and string literals for its JSON (the trace of `curl -d '{…}'`); the JSON of all these (a log in JSON).
 */
export function spellingsOf(text: string): string[] {
  const inJson = [json(text), asciiJson(text)];
  const inShells = [...atStart(text), dashQuoted(text), coreutilsQuoted(text)];
  const once = new Set([
    ...spell(text, ALL),
    ...inJson.flatMap((inner) => spell(inner, QUOTING)),
    ...inShells,
  ]);
  const twice = [json, asciiJson].flatMap((outer) => Array.from(once, outer));
  return [...new Set([...once, ...twice, json(json(json(text)))])];
}

/**
 * Returns the few spellings for texts that are too long for all of them: as it is, in JSON, twice in JSON, in a
 * shell's quotes.
 */
export function mainSpellingsOf(text: string): string[] {
  return [...new Set([text, json(text), json(json(text)), ...spell(text, QUOTED)])];
}

/** Returns the different spellings of a text in the dialects of a notation. */
function spell(text: string, notation: Notation): string[] {
  const specials = [...new Set(text.match(SPECIAL))];
  if (specials.length === 0) return [text];
  const columns = specials.map((char) => replacements(char, notation));
  const spelled = new Map<string, string>();
  for (const index of notation.dialects.keys()) {
    const written = columns.map((column) => column[index] as string);
    const key = written.join("\0");
    if (spelled.has(key)) continue;
    const inPlace = new Map(specials.map((char, at) => [char, written[at] as string]));
    spelled.set(
      key,
      text.replace(SPECIAL, (char) => inPlace.get(char) as string),
    );
  }
  return [...spelled.values()];
}

/** Returns the text that each dialect writes for a character; cached for ASCII, which has few. */
function replacements(char: string, { dialects, remembered }: Notation): readonly string[] {
  const known = remembered.get(char);
  if (known) return known;
  const written = dialects.map((dialect) => dialect(char));
  if (isAscii(char)) remembered.set(char, written);
  return written;
}

/**
 * Returns the spellings that escape the first character. Without quotes, bash and zsh escape these at the beginning
 * of a word only.
 */
function atStart(text: string): string[] {
  return /^[#~=]/.test(text) ? spell(text, QUOTING).map((spelled) => `\\${spelled.replace(/^\\/, "")}`) : [];
}

/** Quotes several apostrophes at once, as dash does. */
const dashQuoted = (text: string): string => text.replace(/'+/g, (run) => `'"${run}"'`);

/** Writes control characters as `'a'$'\t\t''b'`, as `printf %q` and `ls` of coreutils do. */
const coreutilsQuoted = (text: string): string =>
  text.replaceAll("'", `'\\''`).replace(/\p{Cc}+/gu, (run) => `'$'${run.replace(/./gs, octalControl)}''`);

const notation = (...dialects: Dialect[]): Notation => ({ dialects, remembered: new Map() });
const QUOTED = notation(...SINGLE_QUOTED);
const QUOTING = notation(...SHELL, ...PROGRAM);
const ALL = notation(asIs, ...QUOTING.dialects, ...JSON_DIALECTS, ...URLS, ...MARKUP);
