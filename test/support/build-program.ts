import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
} from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { rolldown } from "rolldown";

/*
 * Builds the server and the command line for the tests that start them as processes: bundled into a few files, since loading
 * a thousand modules takes most of the CPU of a start. The result has the layout of the published package, with its
 * bin/signalman.js, and beside it serve.js, a server that takes its settings from the environment.
 */

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));
const CACHE = join(PROJECT, "node_modules/.cache/signalman");
/** Built files by the sources that they start at. */
const ENTRIES = { "dist/src/cli/main": "test/support/command.ts", serve: "test/support/serve.ts" };
/** Packages outside of the bundle: one with machine code, and the database driver, whose errors are known by its files. */
const OUTSIDE = ["koffi", "postgres"];
const SOURCES = ["src", "gen", "bin", "package-lock.json", "test/support/build-program.ts"];
/** Age after which the build of an earlier source is removed, in milliseconds. */
const OLD_MS = 24 * 3600 * 1000;

/**
 * Returns the folder of the program. A build is kept in the checkout for the next run of the same source. In a checkout
 * that is read-only, it is made in `folder`, for this run alone.
 */
export async function buildProgram(folder: string): Promise<string> {
  const kept = join(CACHE, `program-${hashOfSources()}`);
  if (existsSync(kept)) {
    touch(kept);
    return kept;
  }
  const inCache = makeIn(CACHE);
  const unfinished = inCache ?? join(folder, "bundle");
  await bundle(unfinished, { root: PROJECT, input: ENTRIES });
  if (!inCache) return unfinished;
  keep(unfinished, kept);
  removeOld();
  return kept;
}

function makeIn(place: string): string | undefined {
  try {
    mkdirSync(place, { recursive: true });
    return mkdtempSync(join(place, "unfinished-"));
  } catch {
    return undefined;
  }
}

/** Renames the build, unless another run has built the same meanwhile. */
function keep(unfinished: string, kept: string): void {
  chmodSync(unfinished, 0o755);
  try {
    renameSync(unfinished, kept);
  } catch (error) {
    if (!existsSync(kept)) throw error;
    rmSync(unfinished, { recursive: true });
  }
}

/** Marks a build as used. Another user's stays as it is. */
function touch(path: string): void {
  try {
    utimesSync(path, new Date(), new Date());
  } catch {}
}

function removeOld(): void {
  for (const name of readdirSync(CACHE).filter((name) => /^(program|unfinished)-/.test(name))) {
    const path = join(CACHE, name);
    const usedAt = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (usedAt < Date.now() - OLD_MS) rmSync(path, { recursive: true, force: true });
  }
}

/** The program holds paths of the checkout, so that a copy of the checkout builds its own. */
function hashOfSources(): string {
  const hash = createHash("sha256").update(PROJECT);
  for (const path of [...SOURCES, ...Object.values(ENTRIES)].flatMap(filesOf))
    hash.update(`\0${path}\0`).update(readFileSync(path));
  return hash.digest("hex").slice(0, 16);
}

function filesOf(source: string): string[] {
  const path = join(PROJECT, source);
  if (statSync(path).isFile()) return [path];
  const entries = readdirSync(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

export interface BundleOptions {
  /** Folder of the sources: the checkout, or a copy. */
  root: string;
  /** Built files by the sources that they start at. */
  input: Record<string, string>;
  /** Changes the source of a module; gets its path below the root. */
  change?(code: string, path: string): string;
}

/** Bundles programs into a folder with the layout of the published package. */
export async function bundle(folder: string, { root, input, change }: BundleOptions): Promise<void> {
  const transform = (code: string, path: string) => {
    const changed = change?.(code, relative(root, path)) ?? code;
    return path.startsWith(join(root, "test/")) ? changed : withPlace(changed, path);
  };
  const made = await rolldown({
    cwd: root,
    input,
    platform: "node",
    external: OUTSIDE,
    plugins: [{ name: "source", transform }],
  });
  await made.write({ dir: folder, format: "esm", entryFileNames: "[name].js", keepNames: true });
  await made.close();
  cpSync(join(root, "bin"), join(folder, "bin"), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
}

/** Lets a bundled module find the files beside its source, such as migrations and scripts. */
function withPlace(code: string, path: string): string {
  return code.replaceAll("import.meta.url", JSON.stringify(pathToFileURL(path).href));
}
