import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { InvalidArgumentError } from "commander";
import { largeNumbersIn, TOO_LARGE } from "../../rpc/json/whole-numbers.ts";
import { pathText } from "../catalog/path.ts";
import type { Source } from "../catalog/source.ts";
import { UsageError } from "../errors.ts";
import { readText } from "./read-text.ts";
import { collectPairs, parseVariable } from "./values.ts";

/** Value of one `-e`: a variable as it was typed, or a file of variables. */
export type VariableInput = { name: string; text: string } | { file: string };

/** Collects `NAME=VALUE` and `@FILE` of a repeatable option. */
export function collectVariables(text: string, before: readonly VariableInput[] = []): VariableInput[] {
  if (text.startsWith("@") && text.length > 1) return [...before, { file: text.slice(1) }];
  if (text.indexOf("=") < 1) throw new InvalidArgumentError("It must be NAME=VALUE or @FILE.");
  const [[name, value] = ["", ""]] = Object.entries(collectPairs(text));
  return [...before, { name, text: value }];
}

/**
 * Returns all variables; later ones override earlier ones. A file holds an object in YAML or JSON; `-` is stdin. `textNames`
 * returns the variables that stay text even if they look like numbers; it is called only if a value is not text.
 * @throws UsageError that names file and line
 */
export async function readVariables(
  inputs: readonly VariableInput[] = [],
  textNames: () => Promise<ReadonlySet<string>> = async () => new Set(),
): Promise<JsonObject> {
  const layers: Layer[] = [];
  for (const input of inputs) layers.push("file" in input ? await readFile(input.file) : typed(input));
  const names = layers.some(looksOtherwise) ? await textNames() : new Set<string>();
  return Object.fromEntries(layers.flatMap((layer) => Object.entries(valuesOf(layer, names))));
}

/** Variables of one `-e`, before it is known which of them stay text. */
interface Layer {
  variables: JsonObject;
  /** Original text of a variable that is not text; undefined if it is text already or has no such form. */
  written(name: string): string | undefined;
  /** Errors of variables by name; they do not count for a variable that stays text. */
  faults: { name: string; sentence: string }[];
}

const looksOtherwise = ({ variables }: Layer) =>
  Object.values(variables).some((value) => typeof value !== "string");

function valuesOf({ variables, written, faults }: Layer, names: ReadonlySet<string>): JsonObject {
  const texts = new Map<string, string>();
  for (const name of Object.keys(variables)) {
    const text = names.has(name) ? written(name) : undefined;
    if (text !== undefined) texts.set(name, text);
  }
  const counting = faults.filter(({ name }) => !texts.has(name));
  if (counting.length > 0) throw new UsageError(counting.map(({ sentence }) => sentence));
  const entries = Object.entries(variables).map(([name, value]) => [name, texts.get(name) ?? value]);
  return Object.fromEntries(entries) as JsonObject;
}

function typed({ name, text }: { name: string; text: string }): Layer {
  const value = parseVariable(text);
  const large = typeof value === "object" ? largeNumbersIn(text) : [];
  const faults = large.map((path) => ({ name, sentence: `-e ${pathText([name, ...path])}: ${TOO_LARGE}` }));
  return { variables: { [name]: value }, written: () => text, faults };
}

const NO_TAGS =
  "works in catalogs alone: variables are not secret, and a file from another person could read files of this machine";

async function readFile(file: string): Promise<Layer> {
  // Loads the YAML library only here, since most commands do without it.
  const [{ parseText }, { fillTags }] = await Promise.all([
    import("../catalog/source.ts"),
    import("../catalog/tags.ts"),
  ]);
  const name = file === "-" ? "stdin" : file;
  const tags = { folder: ".", allows: () => false, refusal: NO_TAGS };
  const source = parseText(name, await readText(file), (document) => fillTags(document, tags));
  const { value } = source;
  if (value !== null && (typeof value !== "object" || Array.isArray(value))) {
    const kind = Array.isArray(value) ? "a list" : JSON.stringify(value).slice(0, 80);
    throw new UsageError(`${source.place([])}: must be an object of variables, not ${kind}`);
  }
  return {
    variables: value ?? {},
    written: (variable) => source.written([variable]) ?? repeated(value?.[variable]),
    faults: [
      ...noNumbers(source, value, []),
      ...source.largeNumbers.map(([variable, ...rest]) => ({
        name: String(variable),
        sentence: `${source.place([String(variable), ...rest])}: ${TOO_LARGE}`,
      })),
    ],
  };
}

/** Text of a value that an alias repeats: its original text is not known, so the value is written out. */
function repeated(value: JsonValue | undefined): string | undefined {
  return typeof value === "object" || value === undefined ? undefined : String(value);
}

/** Errors for the numbers of YAML that JSON lacks: infinity and not-a-number. */
function noNumbers(source: Source, value: JsonValue, path: (string | number)[]): Layer["faults"] {
  if (typeof value === "number" && !Number.isFinite(value))
    return [{ name: String(path[0]), sentence: `${source.place(path)}: ${value} is no number in JSON` }];
  if (Array.isArray(value)) return value.flatMap((item, at) => noNumbers(source, item, [...path, at]));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => noNumbers(source, item, [...path, key]));
}
