import { createHash, randomUUID } from "node:crypto";
import { lutimes, mkdir, readdir, rename, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { makeFolder } from "../../../files/owned.ts";
import { runCommand } from "../../../process/command.ts";
import { removeTree } from "../../../process/remove-tree.ts";
import { PrepareError } from "../../../task/errors.ts";
import type { Enclose } from "../../executors/local/surroundings.ts";
import { findConfig, type PlaybookPaths } from "./config.ts";
import { branchTips } from "./moving-versions.ts";
import { findRequirements, isRemote, type Requirements } from "./requirements.ts";

export interface GalaxyOptions {
  /** Absolute path of ansible-galaxy. */
  command: string;
  place: PlaybookPaths;
  /** Playbook, relative to the repository's root. */
  playbook: string;
  /** Folder of the cache; each entry is named after a hash of everything that its content depends on. */
  cache: string;
  /** Private folder of the task, on the same file system as the cache. */
  own: string;
  /** The whole environment, including credentials for private sources. */
  env: Readonly<Record<string, string>>;
  /** Name of the access key whose credentials are in `env`; empty: none. */
  key: string;
  /** Fetch everything anew, even if it is cached. */
  refresh: boolean;
  marker: string;
  /** Returns how ansible-galaxy is separated from the service. */
  enclose: Enclose;
  say(text: string): void;
}

/** Folders of roles and collections that were installed from Galaxy. */
export interface GalaxyFolders {
  roles: string;
  collections: string;
}

/** Milliseconds since its last use after which a cache entry is removed. */
const UNUSED_MS = 30 * 24 * 3_600_000;
/** Milliseconds without output after which ansible-galaxy is killed. */
const IDLE_MS = 300_000;

/**
 * Installs the collections and roles that the repository requires, once for all tasks with the same requirements, and again
 * when a required branch has moved. They are fetched into the task's private folder and then renamed into the cache, so that
 * a cache entry is always complete. undefined: the repository requires nothing.
 * @throws PrepareError with the last lines of ansible-galaxy; the signal's reason.
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
    // Records the time of its last use, which `removeUnused` reads.
    await lutimes(known, new Date(), new Date());
    return foldersIn(known);
  }
  const fresh = join(options.own, `galaxy-${randomUUID()}`);
  const folders = foldersIn(fresh);
  for (const path of [fresh, folders.collections, folders.roles]) makeFolder(path, options.place.owner);
  for (const one of required) await install(options, one, folders, signal);
  if (!identity) return folders;
  // The known entry may be in use by other tasks: a refresh is stored as a new entry beside it.
  const place = join(options.cache, known ? `${identity}.${generation()}` : identity);
  await mkdir(options.cache, { recursive: true, mode: 0o700 });
  await removeUnused(options.cache);
  // The rename fails if another task has stored the same entry meanwhile; that entry is used then.
  await rename(fresh, place).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ENOTEMPTY" && cause.code !== "EEXIST") throw cause;
  });
  await removeTree(fresh);
  return foldersIn(place);
}

/** Returns a suffix that sorts after all earlier ones. It holds no `:`, which separates the folders of a search path. */
const generation = () => `${Date.now()}-${randomUUID()}`;

/** Returns the newest cache entry of that identity; undefined: there is none. */
async function newestOf(cache: string, identity: string): Promise<string | undefined> {
  const names = await readdir(cache).catch(() => []);
  const newest = names
    .filter((name) => name.split(".")[0] === identity)
    .sort()
    .at(-1);
  return newest && join(cache, newest);
}

/** Removes cache entries that no task has used for 30 days. */
async function removeUnused(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const place = join(cache, name);
    const found = await stat(place).catch(() => undefined); // removed by another task meanwhile
    if (found && Date.now() - found.mtimeMs > UNUSED_MS) await removeTree(place);
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
  const { command, place, env, marker, enclose, say } = options;
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
    enclosure: enclose({ cwd: place.cwd }),
  });
  if (exit.kind === "code" && exit.code === 0) return;
  const words = (stderr.trim() || stdout.trim()).split("\n").slice(-3).join("; ");
  throw new PrepareError(`Cannot install the ${kind}s of ${name}: ansible-galaxy said: ${words}`);
}

/**
 * Returns a hash of everything that decides what Galaxy installs: the requirements, the commits of their branches, Galaxy's
 * settings, the name of the access key, and size and time of the program ansible-galaxy. undefined: the requirements refer to
 * local files, or a branch cannot be read, so that the result must not be cached.
 */
async function identityOf(
  { command, place, env, key, marker, enclose }: GalaxyOptions,
  required: readonly Requirements[],
  signal: AbortSignal,
): Promise<string | undefined> {
  if (!required.every(isRemote)) return undefined;
  const tips = await branchTips(required, { cwd: place.cwd, env, marker, enclose }, signal);
  if (!tips) return undefined;
  const { size, mtimeMs } = await stat(command);
  const config = findConfig(place, env)?.text ?? "";
  const settings = Object.entries(env).filter(([name]) => name.startsWith("ANSIBLE_GALAXY"));
  const texts = required.map(({ kind, text }) => [kind, text]);
  // Tips are left out if there are none, so that entries of earlier releases keep their names.
  const all = [texts, size, mtimeMs, config, settings.sort(), key, ...(tips.length > 0 ? [tips] : [])];
  return createHash("sha256").update(JSON.stringify(all)).digest("hex");
}
