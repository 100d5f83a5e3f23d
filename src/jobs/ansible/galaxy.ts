import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join, relative } from "node:path";
import { runCommand } from "../../process/command.ts";
import { PrepareError } from "../../task/errors.ts";
import { findConfig, type Place } from "./config.ts";
import { branchTips } from "./moving-versions.ts";
import { findRequirements, isRemote, type Requirements } from "./requirements.ts";

export interface GalaxyOptions {
  /** Absolute path of ansible-galaxy. */
  command: string;
  place: Place;
  /** Relative to the repository's root. */
  playbook: string;
  /** Folder of all that was brought before, by what it depends on. */
  cache: string;
  /** A folder of the task's own, on the same file system. */
  own: string;
  /** The whole environment, with what opens private sources. */
  env: Readonly<Record<string, string>>;
  /** Name of the access key that is among it; empty: none. */
  key: string;
  /** Fetch everything anew, whatever was brought before. */
  refresh: boolean;
  marker: string;
  say(text: string): void;
}

/** Folders of what Galaxy brought. */
export interface GalaxyFolders {
  roles: string;
  collections: string;
}

const UNUSED_MS = 30 * 24 * 3_600_000;
/** Galaxy may be silent for so long. */
const IDLE_MS = 300_000;

/**
 * Brings the collections and roles that the repository requires, once for all tasks with the same requirements; again when
 * a branch among them has moved. They are fetched into the task's own folder and then put into the cache as a whole, so that
 * it never holds half of them.
 * @throws PrepareError with Galaxy's own words; the signal's reason.
 */
export async function bringFromGalaxy(
  options: GalaxyOptions,
  signal: AbortSignal,
): Promise<GalaxyFolders | undefined> {
  const required = await findRequirements(options.place, options.playbook);
  if (required.length === 0) return undefined;
  const identity = await identityOf(options, required, signal);
  const known = identity && (await newestOf(options.cache, identity));
  if (known && !options.refresh) {
    // The time of its last use, to which `removeUnused` looks.
    await utimes(known, new Date(), new Date());
    return foldersIn(known);
  }
  const fresh = join(options.own, `galaxy-${randomUUID()}`);
  const folders = foldersIn(fresh);
  await mkdir(folders.collections, { recursive: true });
  await mkdir(folders.roles);
  for (const one of required) await install(options, one, folders, signal);
  if (!identity) return folders;
  // What is known may be in use, so that a refresh goes beside it.
  const place = join(options.cache, known ? `${identity}.${generation()}` : identity);
  await mkdir(options.cache, { recursive: true, mode: 0o700 });
  await removeUnused(options.cache);
  // Another task may have been faster.
  await rename(fresh, place).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ENOTEMPTY" && cause.code !== "EEXIST") throw cause;
  });
  await rm(fresh, { recursive: true, force: true });
  return foldersIn(place);
}

/** Sorts behind all earlier ones. (It is part of search paths, in which `:` separates.) */
const generation = () => `${Date.now()}-${randomUUID()}`;

/** The folder of that identity that was brought last. */
async function newestOf(cache: string, identity: string): Promise<string | undefined> {
  const names = await readdir(cache).catch(() => []);
  const newest = names
    .filter((name) => name.split(".")[0] === identity)
    .sort()
    .at(-1);
  return newest && join(cache, newest);
}

/** Of what Galaxy brought, that which no task has begun with for 30 days. */
async function removeUnused(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const place = join(cache, name);
    const found = await stat(place).catch(() => undefined); // another task removes it
    if (found && Date.now() - found.mtimeMs > UNUSED_MS) await rm(place, { recursive: true, force: true });
  }
}

const foldersIn = (place: string): GalaxyFolders => ({
  roles: join(place, "roles"),
  collections: join(place, "collections"),
});

async function install(
  options: GalaxyOptions,
  { kind, file }: Requirements,
  folders: GalaxyFolders,
  signal: AbortSignal,
): Promise<void> {
  const { command, place, env, marker, say } = options;
  const name = relative(place.root, file);
  const target = kind === "role" ? folders.roles : folders.collections;
  say(`Installing the ${kind}s of ${name}`);
  const { exit, stdout, stderr } = await runCommand({
    command,
    args: [kind, "install", "-r", file, "-p", target, "--force"],
    cwd: place.cwd,
    env: {
      ...env,
      ANSIBLE_FORCE_COLOR: "False",
      ANSIBLE_ROLES_PATH: folders.roles,
      ANSIBLE_COLLECTIONS_PATH: folders.collections,
    },
    marker,
    idleMs: IDLE_MS,
    signal,
    onLine: (line) => say(line),
  });
  if (exit.kind === "code" && exit.code === 0) return;
  const words = (stderr.trim() || stdout.trim()).split("\n").slice(-3).join("; ");
  throw new PrepareError(`Cannot install the ${kind}s of ${name}: ansible-galaxy said: ${words}`);
}

/**
 * What decides on the content: the requirements, where their branches stand, where from, with whose key, and by which
 * Galaxy. Undefined: something is known to nobody but this task, or not at all.
 */
async function identityOf(
  { command, place, env, key, marker }: GalaxyOptions,
  required: readonly Requirements[],
  signal: AbortSignal,
): Promise<string | undefined> {
  if (!required.every(isRemote)) return undefined;
  const tips = await branchTips(required, { cwd: place.cwd, env, marker }, signal);
  if (!tips) return undefined;
  const { size, mtimeMs } = await stat(command);
  const config = findConfig(place, env)?.text ?? "";
  const settings = Object.entries(env).filter(([name]) => name.startsWith("ANSIBLE_GALAXY"));
  const texts = required.map(({ kind, text }) => [kind, text]);
  // Without branches, the name that earlier releases gave.
  const all = [texts, size, mtimeMs, config, settings.sort(), key, ...(tips.length > 0 ? [tips] : [])];
  return createHash("sha256").update(JSON.stringify(all)).digest("hex");
}
