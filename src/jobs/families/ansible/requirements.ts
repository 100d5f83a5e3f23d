import { realpathSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { parse } from "yaml";
import { readRepositoryFile } from "../../executors/local/repository-file.ts";
import type { PlaybookPaths } from "./config.ts";

export type GalaxyKind = "collection" | "role";

/** A requirements file, and which kind of its entries is to be installed. */
export interface Requirements {
  kind: GalaxyKind;
  file: string;
  text: string;
}

/**
 * Finds requirements files, those of collections first, then those of roles. Looks beside the playbook, one folder above it, in
 * the working directory and in the repository's root; in each of these in the folder `collections` or `roles` and in the
 * folder itself, whose file may hold both kinds.
 */
export async function findRequirements(place: PlaybookPaths, playbook: string): Promise<Requirements[]> {
  const { root, cwd } = place;
  const beside = dirname(playbook);
  const above = beside === "." ? "." : dirname(beside);
  const folders = [beside, above, relative(realpathSync.native(root), realpathSync.native(cwd)) || ".", "."];
  const found: Requirements[] = [];
  for (const kind of ["collection", "role"] as const) {
    for (const folder of new Set(folders.map((path) => join(path)))) {
      for (const within of [`${kind}s`, "."]) {
        const one = readOne(place, join(folder, within), kind);
        if (one) found.push(one);
      }
    }
  }
  return found;
}

function readOne({ root, owner }: PlaybookPaths, folder: string, kind: GalaxyKind): Requirements | undefined {
  for (const name of ["requirements.yml", "requirements.yaml"]) {
    const path = join(folder, name);
    const text = readRepositoryFile(root, path, owner);
    if (text === undefined) continue;
    return holds(text, kind) ? { kind, file: join(root, path), text } : undefined;
  }
  return undefined;
}

/** Whether a file has entries of this kind. A plain list holds roles. True if parsing fails, which ansible-galaxy reports. */
function holds(text: string, kind: GalaxyKind): boolean {
  const content = contentOf(text);
  if (content === undefined) return true;
  if (Array.isArray(content)) return kind === "role" && content.length > 0;
  return Array.isArray((content as Record<string, unknown> | null)?.[`${kind}s`]);
}

/** Whether every entry is fetched from a remote source, so that the text alone determines what is installed. */
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

/** Returns the entries of the file's kind; undefined: there are none, or the file cannot be parsed. */
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
