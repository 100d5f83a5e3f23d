import type { JsonValue } from "@bufbuild/protobuf";
import { isCollection, isNode, LineCounter, type Node, parseDocument } from "yaml";
import { UsageError } from "../errors.ts";
import { aliasTroubles } from "./aliases.ts";
import { type Path, pathText } from "./path.ts";
import { fillTags, TAGS } from "./tags.ts";

/** A file's content, and where in it a value stands. */
export interface Source {
  readonly value: JsonValue;
  /** `catalog.yaml:12: templates[0].path`, spelled as the file has it; the line of the nearest value that is there. */
  place(path: Path): string;
}

/**
 * YAML 1.2, of which JSON is a part, with the merge key `<<` of 1.1; values that stand elsewhere are seen from `folder`.
 * @throws UsageError with file and line
 */
export function parseText(name: string, text: string, folder: string): Source {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false, merge: true, customTags: TAGS });
  if (document.errors.length > 0) {
    throw new UsageError(
      document.errors.map(({ pos, message }) => `${name}:${lineCounter.linePos(pos[0]).line}: ${message}`),
    );
  }
  const problems = [...fillTags(document, folder), ...aliasTroubles(document)];
  if (problems.length > 0) {
    throw new UsageError(
      problems.map(({ path, node, description }) => `${spot(node, path)}: ${description}`),
    );
  }
  return { value: plainValue(name, document), place };

  function place(path: Path): string {
    const { node, spelled } = find(path);
    return spot(node, spelled);
  }

  function spot(node: Node | null, path: Path): string {
    const line = node?.range ? lineCounter.linePos(node.range[0]).line : undefined;
    return `${name}${line === undefined ? "" : `:${line}`}${path.length > 0 ? `: ${pathText(path)}` : ""}`;
  }

  function find(path: Path): { node: Node | null; spelled: Path } {
    let node: Node | null = document.contents;
    const spelled = [...path];
    for (const [at, key] of path.entries()) {
      const [next, found] = inside(node, key);
      if (!isNode(next)) break;
      node = next;
      spelled[at] = found;
    }
    return { node, spelled };
  }
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

function plainValue(name: string, document: ReturnType<typeof parseDocument>): JsonValue {
  try {
    return (document.toJS() ?? null) as JsonValue;
  } catch (cause) {
    // Too many aliases.
    throw new UsageError(`${name}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}
