import type { JsonValue } from "@bufbuild/protobuf";
import { type Duration, durationFromMs } from "@bufbuild/protobuf/wkt";
import { InvalidArgumentError } from "commander";
import { durationMs } from "../../task/duration.ts";
import { UsageError } from "../errors.ts";

/** Collects `NAME=VALUE` of an option that may be given again; the last one of a name wins. */
export function collectPairs(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("It must be NAME=VALUE.");
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/**
 * As `collectPairs`; a name alone stands for a value that is found elsewhere.
 * @throws UsageError, since commander quotes what an InvalidArgumentError is about
 */
export function collectSecrets(text: string, before: Record<string, string | undefined> = {}) {
  if (text === "" || text.startsWith("=")) throw new UsageError("--secret: it must be NAME or NAME=VALUE");
  return text.includes("=") ? { ...before, ...collectPairs(text) } : { ...before, [text]: undefined };
}

export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/**
 * A number, `true`, `false`, `null`, an object or a list if the text is one in JSON, else the text. A number that JSON
 * would write otherwise stays text: `1.10`, `1e3`, and whole numbers over 2^53 are versions and ids.
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

/** `90s`, `5m`, `1h30m`; a number alone is seconds. */
export function parseDuration(text: string): Duration {
  try {
    return durationFromMs(Math.round(durationMs(text)));
  } catch (error) {
    throw new InvalidArgumentError(`It ${error instanceof Error ? error.message : error}.`);
  }
}

export function parseWhole(from: number, to: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= from && value <= to) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${from} to ${to}.`);
  };
}
