import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { type Document, isScalar, type ScalarTag } from "yaml";
import { fileTrouble } from "../input/file-errors.ts";
import { type Problem, placesIn } from "./nodes.ts";

/** Values that stand elsewhere, so that no secret needs to stand in a catalog: `!env NAME` and `!file PATH`. */
export const TAGS: ScalarTag[] = ["!env", "!file"].map((tag) => ({ tag, resolve: (text) => text }));

/** Puts the values in, each in the place of its name. Files are relative to `folder`. Returns what could not be found. */
export function fillTags(document: Document, folder: string): Problem[] {
  const problems: Problem[] = [];
  for (const place of placesIn(document.contents)) {
    const { node, role } = place;
    if (role === "key" || !isScalar(node) || (node.tag !== "!env" && node.tag !== "!file")) continue;
    const found = node.tag === "!env" ? fromEnv(String(node.value)) : fromFile(folder, String(node.value));
    if ("text" in found) node.value = found.text;
    else problems.push({ ...place, description: found.problem });
  }
  return problems;
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
