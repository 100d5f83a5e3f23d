import type { JsonObject } from "@bufbuild/protobuf";
import { z } from "zod";
import { IDENTIFIER_WORDS, isIdentifier } from "../../task/identifiers.ts";
import { MAX_WORD_BYTES } from "../../task/limits.ts";
import { startEffect } from "../../task/start-names.ts";
import { type Breach, received, rule, ruleAt } from "./rule.ts";
import { hasAtMost } from "./values.ts";
import { walk } from "./walk.ts";

type StringMap = Record<string, string>;

const stringMap = () => z.custom<StringMap>();

const MIB = 1024 * 1024;

/** Rules for `variables`. Their size is that of their JSON, the form in which they are stored. */
export function variables() {
  const holds = (value: JsonObject | undefined): boolean =>
    Buffer.byteLength(JSON.stringify(value ?? {})) <= MIB;
  const small = rule(z.custom<JsonObject | undefined>(), "At most 1 MiB", holds);
  const plain = ruleAt(small, "no NUL", nulsIn);
  return ruleAt(plain, "names are not empty and hold no `=`", (value) =>
    Object.keys(value ?? {})
      .filter((name) => name === "" || name.includes("="))
      .map((name) => ({ path: [name], got: name === "" ? "an empty name" : received(name), isName: true })),
  );
}

function nulsIn(value: unknown): Breach[] {
  const breaches: Breach[] = [];
  walk(value ?? {}, (leaf, path) => {
    if (typeof leaf === "string" && leaf.includes("\0"))
      breaches.push({ path: [...path], got: received(leaf) });
  });
  return breaches;
}

const RESERVED = /^(SIGNALMAN_|SEMAPHORE_TASK_)/;
export function env() {
  const named = ruleAt(
    stringMap(),
    "Names match `[A-Za-z_][A-Za-z0-9_]*`",
    badKeys(isIdentifier),
    IDENTIFIER_WORDS,
  );
  const allowed = ruleAt(
    named,
    "do not begin with SIGNALMAN_ or SEMAPHORE_TASK_",
    badKeys((key) => !RESERVED.test(key)),
  );
  const plain = ruleAt(
    allowed,
    "values hold no NUL",
    badValues((value) => !value.includes("\0")),
  );
  return ruleAt(plain, SHORT_VALUES, longValues, "Linux: 128 KiB");
}

/** Rules for `allow_override_env`: names of environment variables that callers may set. */
export function envNames() {
  const few = rule(z.array(z.string()), "At most 100", (names) => names.length <= 100);
  const named = ruleAt(
    few,
    "`*` for all, else each matches `[A-Za-z_][A-Za-z0-9_]*`",
    itemsWhere((name) => name !== "*" && (!isIdentifier(name) || RESERVED.test(name))),
    `${IDENTIFIER_WORDS}, not SIGNALMAN_… and SEMAPHORE_TASK_…`,
  );
  return ruleAt(
    named,
    "No name may change how a program starts",
    itemsWhere((name) => startEffect(name) !== undefined),
    "callers can never set it",
  );
}

const itemsWhere =
  (isBad: (item: string) => boolean) =>
  (list: readonly string[]): Breach[] =>
    list.flatMap((item, index) => (isBad(item) ? [{ path: [index], got: received(item) }] : []));

const SHORT_VALUES = `at most ${MAX_WORD_BYTES} bytes with their names`;

function longValues(map: StringMap): Breach[] {
  const sizes = Object.entries(map).map(
    ([name, value]) => [name, Buffer.byteLength(`${name}=${value}`)] as const,
  );
  return sizes
    .filter(([, bytes]) => bytes > MAX_WORD_BYTES)
    .map(([name, bytes]) => ({ path: [name], got: `${bytes} bytes`, isName: true }));
}

const SECRET_NAMES =
  "Names match `[A-Za-z_][A-Za-z0-9_]*` and do not begin with SIGNALMAN_ or SEMAPHORE_TASK_";

/** Rules for `secret_variables` of RunTask. Errors show names and never values. */
export const secretVariables = () =>
  secretMap("follow the rule of `env`", `${SECRET_NAMES.replace("N", "n")}: ${IDENTIFIER_WORDS}`);

/** Rules for `secret_env` of an environment. */
export const secretEnv = () =>
  ruleAt(secretMap(SECRET_NAMES, IDENTIFIER_WORDS), SHORT_VALUES, longValues, "Linux: 128 KiB");

/** Rules for `secret_variables` of an environment. Their length is not limited: apps may get them in files. */
export const secretEnvironmentVariables = () => secretMap(SECRET_NAMES, IDENTIFIER_WORDS);

function secretMap(says: string, hint?: string) {
  const holds = (key: string) => isIdentifier(key) && !RESERVED.test(key);
  const named = ruleAt(stringMap(), says, badKeys(holds), hint);
  return ruleAt(named, "values hold no NUL", (map) =>
    Object.entries(map).flatMap(([key, value]) =>
      value.includes("\0") ? [{ path: [key], got: received(value) }] : [],
    ),
  );
}

const LABEL = /^[a-z0-9]([a-z0-9._/-]{0,61}[a-z0-9])?$/;

export function labels() {
  const few = rule(stringMap(), "At most 64", (map) => Object.keys(map).length <= 64);
  const keyed = ruleAt(
    few,
    "keys match `[a-z0-9]([a-z0-9._/-]{0,61}[a-z0-9])?`",
    badKeys((key) => LABEL.test(key)),
    "at most 63 lower-case letters, digits and inner . _ / -",
  );
  return ruleAt(
    keyed,
    "values have at most 255 characters",
    badValues((value) => hasAtMost(255, value)),
  );
}

const badKeys = (holds: (key: string) => boolean) => (map: StringMap) =>
  breaches(map, holds, (key) => key).map((breach): Breach => ({ ...breach, isName: true }));

const badValues = (holds: (value: string) => boolean) => (map: StringMap) =>
  breaches(
    map,
    (key) => holds(map[key] ?? ""),
    (key) => map[key],
  );

function breaches(
  map: StringMap,
  holds: (key: string) => boolean,
  shown: (key: string) => unknown,
): Breach[] {
  const bad = Object.keys(map).filter((key) => !holds(key));
  return bad.map((key) => ({ path: [key], got: received(shown(key)) }));
}
