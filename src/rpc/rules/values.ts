import { z } from "zod";
import { UUID } from "./names.ts";
import { received, rule, ruleAt } from "./rule.ts";

/** Requires a 32-bit number from `min` to `max`; unset passes. */
export function int(says: string, min: number, max: number) {
  return rule(z.number().optional(), says, (value) => value === undefined || (value >= min && value <= max));
}

/** Requires a line number; unset passes. */
export const sequence = () =>
  rule(z.bigint().optional(), "from 0", (value) => value === undefined || value >= 0n);

/** True if a text has at most `max` characters, counted as code points: an emoji is one, not two UTF-16 units. */
export function hasAtMost(max: number, text: string): boolean {
  return text.length <= max || (text.length <= 2 * max && [...text].length <= max);
}

export const textUpTo = (max: number, says = `at most ${max} characters`) =>
  rule(z.string(), says, (text) => hasAtMost(max, text));

/** Requires the text of a file; unset passes. */
export function smallText() {
  const isSmall = (text: string | undefined) => Buffer.byteLength(text ?? "") <= 1024 * 1024;
  const small = rule(z.string().optional(), "At most 1 MiB", isSmall);
  return rule(small, "no NUL", (text) => !text?.includes("\0"));
}

/** Requires that one field of a oneof is set. `choices`: the names of its fields. */
export function oneOf<S extends z.ZodType>(schema: S, says: string, choices: readonly string[]): S {
  return ruleAt(schema, says, (value) => {
    const fields = value as Record<string, unknown>;
    return choices.some((choice) => fields[choice] !== undefined) ? [] : [{ path: [], got: "none" }];
  });
}

export const required = () => rule(z.string(), "Required", (text) => text !== "");

const ONLY_UUID = new RegExp(`^${UUID}$`);
export const uuid = () => rule(z.string(), "A UUID", (text) => text === "" || ONLY_UUID.test(text));

const COMMIT = /^[0-9a-fA-F]{7,64}$/;
export const commit = () =>
  rule(z.string(), "7 to 64 hexadecimal digits", (text) => text === "" || COMMIT.test(text));

/** Rules for a program's arguments. NUL is refused, since the operating system would cut an argument there. */
export function args() {
  const few = rule(z.array(z.string()), "At most 1000", (list) => list.length <= 1000);
  return ruleAt(few, "no NUL", (list) =>
    list.flatMap((item, index) => (item.includes("\0") ? [{ path: [index], got: received(item) }] : [])),
  );
}
