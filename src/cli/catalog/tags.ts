import { readFileSync, realpathSync, statSync } from "node:fs";
import { relative, resolve } from "node:path";
import { type Document, isAlias, isScalar, type Node, type Scalar, type ScalarTag } from "yaml";
import { fileTrouble } from "../input/file-errors.ts";
import { type Problem, placesIn } from "./nodes.ts";
import type { Path } from "./path.ts";

/** Tags that take a value from elsewhere, so that a catalog needs no secret in it: `!env NAME` and `!file PATH`. */
export const TAGS: ScalarTag[] = ["!env", "!file"].map((tag) => ({ tag, resolve: (text) => text }));

export interface TagOptions {
  /** Folder that file paths are relative to. Files outside it are refused, links resolved. */
  folder: string;
  /** Whether the value at a path may have a tag; undefined: every value may. */
  allows?: ((path: Path) => boolean) | undefined;
  /** Rest of the message for a value that may not have a tag. */
  refusal: string;
}

/**
 * Replaces tagged nodes by the values that they name. Returns an error for each value that is missing or may not be read: a
 * catalog may come from another person and must not send files and variables of this machine to a server.
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
  const advice = 'export it, or write "" to keep the stored secret';
  return text === undefined
    ? { problem: `there is no ${name || "name"} in the environment; ${advice}` }
    : { text };
}

function fromFile(folder: string, path: string): Found {
  try {
    const file = realpathSync(resolve(folder, path));
    if (/^\.\.(\/|$)/.test(relative(realpathSync(folder), file)))
      return { problem: `cannot read ${path}: it is outside the folder of the catalog` };
    if (!statSync(file).isFile()) return { problem: `cannot read ${path}: it is not a regular file` };
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(readFileSync(file)) };
  } catch (error) {
    return { problem: `cannot read ${path}: ${fileTrouble(error)}` };
  }
}
