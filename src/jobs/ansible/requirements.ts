import { realpathSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { parse } from "yaml";
import { readRepositoryFile } from "../local/repository-file.ts";
import type { Place } from "./config.ts";

export type GalaxyKind = "collection" | "role";

/** A file of requirements, and which of its two kinds is to be installed. */
export interface Requirements {
  kind: GalaxyKind;
  file: string;
  text: string;
}

/**
 * Requirements, collections first, then roles. They are looked for beside the playbook, one folder above it, in the working
 * directory and in the repository's root; there in a folder of their kind and in the one file that holds both.
 */
export async function findRequirements({ root, cwd }: Place, playbook: string): Promise<Requirements[]> {
  const beside = dirname(playbook);
  const above = beside === "." ? "." : dirname(beside);
  const folders = [beside, above, relative(realpathSync.native(root), realpathSync.native(cwd)) || ".", "."];
  const found: Requirements[] = [];
  for (const kind of ["collection", "role"] as const) {
    for (const folder of new Set(folders.map((path) => join(path)))) {
      for (const within of [`${kind}s`, "."]) {
        const one = readOne(root, join(folder, within), kind);
        if (one) found.push(one);
      }
    }
  }
  return found;
}

function readOne(root: string, folder: string, kind: GalaxyKind): Requirements | undefined {
  for (const name of ["requirements.yml", "requirements.yaml"]) {
    const path = join(folder, name);
    const text = readRepositoryFile(root, path);
    if (text === undefined) continue;
    return holds(text, kind) ? { kind, file: join(root, path), text } : undefined;
  }
  return undefined;
}

/** Of the old form, a list, all are roles. What cannot be read is for ansible-galaxy to explain. */
function holds(text: string, kind: GalaxyKind): boolean {
  const content = contentOf(text);
  if (content === undefined) return true;
  if (Array.isArray(content)) return kind === "role" && content.length > 0;
  return Array.isArray((content as Record<string, unknown> | null)?.[`${kind}s`]);
}

/** Whether all that they name is fetched from elsewhere, so that the text alone tells what comes. */
export function isRemote(requirements: Requirements): boolean {
  return (
    entriesOf(requirements)?.every((entry) => {
      if (typeof entry === "string") return !isPath(entry);
      const { name, src, source, type, include } = (entry ?? {}) as Record<string, unknown>;
      const isLocal = ["file", "dir", "subdirs"].includes(String(type)) || include !== undefined;
      return !isLocal && ![name, src, source].some((place) => typeof place === "string" && isPath(place));
    }) ?? false
  );
}

/** Entries of its kind; undefined: it has none, or cannot be read. */
export function entriesOf({ text, kind }: Requirements): unknown[] | undefined {
  const content = contentOf(text);
  const listed = Array.isArray(content) ? content : (content as Record<string, unknown> | null)?.[`${kind}s`];
  return Array.isArray(listed) ? listed : undefined;
}

function isPath(place: string): boolean {
  return /^([./~]|file:|git\+file:|git\+[./])/.test(place);
}

function contentOf(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}
