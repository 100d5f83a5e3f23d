import type { JsonValue } from "@bufbuild/protobuf";
import { type Duration, durationFromMs } from "@bufbuild/protobuf/wkt";
import { InvalidArgumentError } from "commander";
import { durationMs } from "../../task/duration.ts";
import { UsageError } from "../errors.ts";

/** Collects `NAME=VALUE` of a repeatable option; a later value of the same name overrides an earlier one. */
export function collectPairs(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("It must be NAME=VALUE.");
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/**
 * The same as `collectPairs`; a name alone means a value from the environment or the terminal.
 * @throws UsageError, which does not repeat the value, as commander does for an InvalidArgumentError
 */
export function collectSecrets(text: string, before: Record<string, string | undefined> = {}) {
  if (text === "" || text.startsWith("=")) throw new UsageError("--secret: it must be NAME or NAME=VALUE");
  return text.includes("=") ? { ...before, ...collectPairs(text) } : { ...before, [text]: undefined };
}

export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/**
 * Returns the value if the text is a number, `true`, `false`, `null`, an object or a list in JSON, else the text. A number that
 * JSON would write differently stays text, since it is probably a version or an id: `1.10`, `1e3`, whole numbers over 2^53.
 */
export function parseVariable(text: string): JsonValue {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
  if (typeof value === "string") return text;
  return typeof value === "number" && String(value) !== text ? text : value;
}

/** Parses `90s`, `5m` or `1h30m`; a number alone means seconds. */
export function parseDuration(text: string): Duration {
  try {
    return durationFromMs(Math.round(durationMs(text)));
  } catch (error) {
    throw new InvalidArgumentError(`It ${error instanceof Error ? error.message : error}.`);
  }
}

/** Makes a parser for whole numbers of a range, both ends included. */
export function parseWhole(from: number, to: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= from && value <= to) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${from} to ${to}.`);
  };
}
