import { readFileSync, realpathSync, statSync } from "node:fs";
import { relative, resolve } from "node:path";
import { type Document, isAlias, isScalar, type Node, type Scalar, type ScalarTag } from "yaml";
import { fileTrouble } from "../input/file-errors.ts";
import { type Problem, placesIn } from "./nodes.ts";
import type { Path } from "./path.ts";

/** Values that stand elsewhere, so that no secret needs to stand in a catalog: `!env NAME` and `!file PATH`. */
export const TAGS: ScalarTag[] = ["!env", "!file"].map((tag) => ({ tag, resolve: (text) => text }));

export interface TagOptions {
  /** Files are relative to it, and lie within it, links resolved. */
  folder: string;
  /** Whether a value may stand elsewhere; undefined: every one may. */
  allows?: ((path: Path) => boolean) | undefined;
  /** What to tell of one that may not. */
  refusal: string;
}

/**
 * Puts the values in, each in the place of its name. Returns what could not be found or may not be read: a catalog may be
 * somebody else's, and shall not bring files and variables of this machine to a server.
 */
export function fillTags(document: Document, { folder, allows, refusal }: TagOptions): Problem[] {
  const problems: Problem[] = [];
  const filled = new Set<Node>();
  for (const place of placesIn(document.contents)) {
    const { node, role, path } = place;
    if (isAlias(node) && allows && holdsAny(node.resolve(document), filled)) {
      problems.push({ ...place, description: `repeats a value with !env or !file: ${refusal}` });
    }
    if (!isTagged(node) || role === "key") continue;
    if (allows && !allows(path)) {
      problems.push({ ...place, description: `${node.tag} ${refusal}` });
      continue;
    }
    const found = node.tag === "!env" ? fromEnv(String(node.value)) : fromFile(folder, String(node.value));
    filled.add(node);
    if ("text" in found) node.value = found.text;
    else problems.push({ ...place, description: found.problem });
  }
  return problems;
}

const isTagged = (node: Node): node is Scalar =>
  isScalar(node) && (node.tag === "!env" || node.tag === "!file");

const holdsAny = (node: Node | undefined, nodes: ReadonlySet<Node>) =>
  placesIn(node).some((place) => nodes.has(place.node));

type Found = { text: string } | { problem: string };

function fromEnv(name: string): Found {
  const text = process.env[name];
  return text === undefined ? { problem: `there is no ${name || "name"} in the environment` } : { text };
}

function fromFile(folder: string, path: string): Found {
  try {
    const file = realpathSync(resolve(folder, path));
    if (/^\.\.(\/|$)/.test(relative(realpathSync(folder), file)))
      return { problem: `cannot read ${path}: it lies outside the folder of the catalog` };
    if (!statSync(file).isFile()) return { problem: `cannot read ${path}: it is no regular file` };
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(readFileSync(file)) };
  } catch (error) {
    return { problem: `cannot read ${path}: ${fileTrouble(error)}` };
  }
}
