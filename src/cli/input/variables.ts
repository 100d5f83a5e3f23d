import { dirname, resolve } from "node:path";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { InvalidArgumentError } from "commander";
import type { Source } from "../catalog/source.ts";
import { UsageError } from "../errors.ts";
import { readText } from "./read-text.ts";
import { collectPairs, parseVariable } from "./values.ts";

/** What `-e` was given: variables, or a file of them. */
export type VariableInput = { variables: JsonObject } | { file: string };

/** Collects `NAME=VALUE` and `@FILE` of an option that may be given again. */
export function collectVariables(text: string, before: readonly VariableInput[] = []): VariableInput[] {
  if (text.startsWith("@") && text.length > 1) return [...before, { file: text.slice(1) }];
  if (text.indexOf("=") < 1) throw new InvalidArgumentError("It must be NAME=VALUE or @FILE.");
  const [[name, value] = ["", ""]] = Object.entries(collectPairs(text));
  return [...before, { variables: { [name]: parseVariable(value) } }];
}

/**
 * All variables; the later ones win. A file holds an object, in YAML or JSON; `-` is stdin.
 * @throws UsageError that names file and line.
 */
export async function readVariables(inputs: readonly VariableInput[] = []): Promise<JsonObject> {
  let all: JsonObject = {};
  for (const input of inputs)
    all = { ...all, ...("file" in input ? await readFile(input.file) : input.variables) };
  return all;
}

async function readFile(file: string): Promise<JsonObject> {
  // Loads the YAML library, which most commands do without.
  const { parseText } = await import("../catalog/source.ts");
  const [name, folder] = file === "-" ? ["stdin", process.cwd()] : [file, dirname(resolve(file))];
  const source = parseText(name, await readText(file), folder);
  const { value } = source;
  if (value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) {
    const kind = Array.isArray(value) ? "a list" : JSON.stringify(value);
    throw new UsageError(`${source.place([])}: must be an object of variables, not ${kind}`);
  }
  assertNumbers(source, value, []);
  return value;
}

/** YAML has numbers that JSON has not. */
function assertNumbers(source: Source, value: JsonValue, path: (string | number)[]): void {
  if (typeof value === "number" && !Number.isFinite(value))
    throw new UsageError(`${source.place(path)}: ${value} is no number in JSON`);
  if (Array.isArray(value)) {
    for (const [at, item] of value.entries()) assertNumbers(source, item, [...path, at]);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, item] of Object.entries(value)) assertNumbers(source, item, [...path, key]);
  }
}
