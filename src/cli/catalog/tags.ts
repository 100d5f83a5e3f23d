import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { type Document, isMap, isScalar, isSeq, type ScalarTag } from "yaml";
import { fileTrouble } from "../file-trouble.ts";
import type { Path } from "./path.ts";

/** Values that stand elsewhere, so that no secret needs to stand in a catalog: `!env NAME` and `!file PATH`. */
export const TAGS: ScalarTag[] = ["!env", "!file"].map((tag) => ({ tag, resolve: (text) => text }));

/** What could not be found, and where. */
export interface TagProblem {
  path: Path;
  description: string;
}

/** Puts the values in, each in the place of its name. Files are relative to `folder`. */
export function fillTags(document: Document, folder: string): TagProblem[] {
  const problems: TagProblem[] = [];
  walk(document.contents, []);
  return problems;

  function walk(node: unknown, path: Path): void {
    if (isMap(node)) for (const { key, value } of node.items) walk(value, [...path, String(key)]);
    else if (isSeq(node)) node.items.forEach((item, index) => void walk(item, [...path, index]));
    else if (isScalar(node) && (node.tag === "!env" || node.tag === "!file")) {
      const found = node.tag === "!env" ? fromEnv(String(node.value)) : fromFile(folder, String(node.value));
      if ("text" in found) node.value = found.text;
      else problems.push({ path, description: found.problem });
    }
  }
}

type Found = { text: string } | { problem: string };

function fromEnv(name: string): Found {
  const text = process.env[name];
  return text === undefined ? { problem: `there is no ${name || "name"} in the environment` } : { text };
}

function fromFile(folder: string, path: string): Found {
  try {
    const bytes = readFileSync(resolve(folder, path));
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch (error) {
    return { problem: `cannot read ${path}: ${fileTrouble(error)}` };
  }
}
