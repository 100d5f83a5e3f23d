import type { JsonValue } from "@bufbuild/protobuf";
import { type Document, isCollection, isNode, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import { losesDigits } from "../../rpc/json/whole-numbers.ts";
import { UsageError } from "../errors.ts";
import { aliasTroubles } from "./aliases.ts";
import { findLosses } from "./losses.ts";
import type { Problem } from "./nodes.ts";
import { type Path, pathText } from "./path.ts";
import { TAGS } from "./tags.ts";

/** Content of a file, and the places of its values. */
export interface Source {
  /** Parsed value. Whole numbers beyond 2^53 - 1 have lost digits; `largeNumbers` are their paths. */
  readonly value: JsonValue;
  readonly largeNumbers: readonly Path[];
  /** Original text of a number, boolean or null: `1.10`, `0x1F`, `yes`; undefined for all other values. */
  written(path: Path): string | undefined;
  /**
   * File, line and path of a value, spelled as in the file: `catalog.yaml:12: templates[0].path`. A missing value has the line
   * of the nearest value above it.
   */
  place(path: Path): string;
}

/**
 * Parses YAML 1.2, which includes JSON, with the merge key `<<` of YAML 1.1. Keys are text as they are written. `fillTags`
 * replaces tagged values and returns their errors.
 * @throws UsageError with file and line of every error
 */
export function parseText(name: string, text: string, fillTags: (document: Document) => Problem[]): Source {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, {
    lineCounter,
    prettyErrors: false,
    merge: true,
    customTags: TAGS,
    intAsBigInt: true,
    stringKeys: true,
  });
  if (document.errors.length > 0) {
    throw new UsageError(
      document.errors.map(
        ({ pos, ...error }) => `${name}:${lineCounter.linePos(pos[0]).line}: ${unquoted(error)}`,
      ),
    );
  }
  const problems = [...fillTags(document), ...aliasTroubles(document), ...findLosses(document)];
  if (problems.length > 0) {
    throw new UsageError(
      problems.map(({ path, node, description }) => `${spot(node, path)}: ${description}`),
    );
  }
  return { ...plainValue(name, document), written, place };

  function written(path: Path): string | undefined {
    const { node, isExact } = find(path);
    if (!isExact || !isScalar(node) || typeof node.value === "string") return undefined;
    return node.source;
  }

  function place(path: Path): string {
    const { node, spelled } = find(path);
    return spot(node, spelled);
  }

  function spot(node: Node | null, path: Path): string {
    const line = node?.range ? lineCounter.linePos(node.range[0]).line : undefined;
    return `${name}${line === undefined ? "" : `:${line}`}${path.length > 0 ? `: ${pathText(path)}` : ""}`;
  }

  function find(path: Path): { node: Node | null; spelled: Path; isExact: boolean } {
    let node: Node | null = document.contents;
    const spelled = [...path];
    for (const [at, key] of path.entries()) {
      const [next, found] = inside(node, key);
      if (!isNode(next)) return { node, spelled, isExact: false };
      node = next;
      spelled[at] = found;
    }
    return { node, spelled, isExact: true };
  }
}

/** Removes quoted input from an error of the library, since it may be a secret. */
function unquoted({ code, message }: { code: string; message: string }): string {
  return code === "UNEXPECTED_TOKEN" ? message.replace(/: .*$/s, "") : message;
}

function inside(node: unknown, key: string | number): [value: unknown, key: string | number] {
  const value = isCollection(node) ? node.get(key, true) : undefined;
  if (value !== undefined || !isCollection(node)) return [value, key];
  return [node.get(camelCase(key), true), camelCase(key)];
}

/** Second name of a field in JSON: besides its name in the contract, the camel-cased one. */
function camelCase(key: string | number): string | number {
  return typeof key === "string" ? key.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()) : key;
}

function plainValue(name: string, document: Document): Pick<Source, "value" | "largeNumbers"> {
  try {
    const largeNumbers: Path[] = [];
    return { value: withNumbers(document.toJS() ?? null, [], largeNumbers), largeNumbers };
  } catch (cause) {
    // The library refuses documents that aliases make too large.
    throw new UsageError(`${name}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/** Replaces big integers by numbers, and adds the paths of those that lose digits to `large`. */
function withNumbers(value: unknown, path: Path, large: Path[]): JsonValue {
  if (typeof value === "bigint") {
    if (losesDigits(String(value))) large.push(path);
    return Number(value);
  }
  if (Array.isArray(value)) return value.map((item, at) => withNumbers(item, [...path, at], large));
  if (typeof value !== "object" || value === null) return value as JsonValue;
  const entries = Object.entries(value).map(([key, item]) => [key, withNumbers(item, [...path, key], large)]);
  return Object.fromEntries(entries) as JsonValue;
}
