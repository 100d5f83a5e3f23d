import type { JsonValue } from "@bufbuild/protobuf";
import { type Document, isCollection, isNode, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import { losesDigits } from "../../rpc/json/whole-numbers.ts";
import { UsageError } from "../errors.ts";
import { aliasTroubles } from "./aliases.ts";
import type { Problem } from "./nodes.ts";
import { type Path, pathText } from "./path.ts";
import { TAGS } from "./tags.ts";

/** A file's content, and where in it a value stands. */
export interface Source {
  /** Its whole numbers beyond 2^53 - 1 have lost digits; `largeNumbers` are their places. */
  readonly value: JsonValue;
  readonly largeNumbers: readonly Path[];
  /** How a number, a boolean or null is written: `1.10`, `0x1F`, `yes`; undefined if none stands there. */
  written(path: Path): string | undefined;
  /** `catalog.yaml:12: templates[0].path`, spelled as the file has it; the line of the nearest value that is there. */
  place(path: Path): string;
}

/**
 * YAML 1.2, of which JSON is a part, with the merge key `<<` of 1.1. Keys are text as they are written. `fillTags` puts
 * values in the place of tagged ones and returns what is wrong with them.
 * @throws UsageError with file and line
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
  const problems = [...fillTags(document), ...aliasTroubles(document)];
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

/** The library ends some of its sentences with the text that it met, which may be a secret. */
function unquoted({ code, message }: { code: string; message: string }): string {
  return code === "UNEXPECTED_TOKEN" ? message.replace(/: .*$/s, "") : message;
}

function inside(node: unknown, key: string | number): [value: unknown, key: string | number] {
  const value = isCollection(node) ? node.get(key, true) : undefined;
  if (value !== undefined || !isCollection(node)) return [value, key];
  return [node.get(camelCase(key), true), camelCase(key)];
}

/** A field has two names in JSON: the one of the contract and the camel-cased one. */
function camelCase(key: string | number): string | number {
  return typeof key === "string" ? key.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()) : key;
}

function plainValue(name: string, document: Document): Pick<Source, "value" | "largeNumbers"> {
  try {
    const largeNumbers: Path[] = [];
    return { value: withNumbers(document.toJS() ?? null, [], largeNumbers), largeNumbers };
  } catch (cause) {
    // Too many aliases.
    throw new UsageError(`${name}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/** The same with numbers in the place of big integers; notes the places of those that lose digits. */
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
