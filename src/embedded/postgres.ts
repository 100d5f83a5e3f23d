import { join } from "node:path";
import { adopt } from "./adoption.ts";
import { binariesIn, findPackage } from "./binaries.ts";
import { type Cluster, hasSharedPassword, openCluster, SERVICE, separateSuperuser } from "./cluster.ts";
import { type DataFolder, openDataFolder } from "./data-folder.ts";
import { launch } from "./launch.ts";
import { type Postmaster, shutDown } from "./postmaster.ts";
import { tailOfLog } from "./server-log.ts";
import { dropSocketFolder } from "./socket-folder.ts";
import { socketUrl } from "./socket-url.ts";

/*
 * PostgreSQL for users who bring none.
 *
 * The data folder belongs to one process at a time, by a kernel lock, and holds the node's id (data-folder.ts). Its
 * subfolder `postgres` is a cluster, created on first use (cluster.ts) and run by the programs of an npm package
 * (binaries.ts). PostgreSQL outlives a server that is killed: the next server on the folder adopts it (adoption.ts),
 * or starts a new one if there is none that it can use (launch.ts). It listens on a unix socket alone, in a folder
 * that only its owner can enter, and asks for a password.
 *
 * Guarantees: never two postmasters on the same data; after a crash at any moment the next start works; durability
 * settings of PostgreSQL stay on.
 * Left to others: the schema, its migrations and all queries (store/).
 */

/** A PostgreSQL server that accepts connections. Disposing it is `stop`. */
export interface EmbeddedPostgres extends AsyncDisposable {
  /** For libpq as it is; for postgres.js as `postgres(url, { ...socketOptions(url) })`. */
  readonly url: string;
  /** Whether it was adopted: an earlier server had started it and was killed. */
  readonly adopted: boolean;
  readonly pid: number;
  /** Resolves with a sentence for the log if PostgreSQL ends without `stop`; else never. */
  readonly died: Promise<string>;
  /** Ends all sessions; resolves when everything is on disk and PostgreSQL has ended. May be called twice. */
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  /** Ends the wait for a start. A PostgreSQL that is starting goes on and is adopted by the next start. */
  readonly signal?: AbortSignal;
  /**
   * PostgreSQL settings that override its files. `fsync: "off"` also creates a new cluster without waiting for the
   * disk.
   */
  readonly settings?: Record<string, string>;
}

/**
 * Adopts or starts the PostgreSQL in `<folder>/postgres`, which is created on first use.
 * `folder`: a path is opened, and its lock held until `stop`; an open folder stays the caller's
 * @throws DataFolderInUseError, EmbeddedPostgresError
 */
export async function startEmbeddedPostgres(
  folder: DataFolder | string,
  options: EmbeddedOptions = {},
): Promise<EmbeddedPostgres> {
  if (typeof folder !== "string") return start(folder.path, options);
  await using onFailure = new AsyncDisposableStack();
  const opened = onFailure.use(await openDataFolder(folder));
  const server = await start(opened.path, options);
  onFailure.move();
  return withFolder(server, opened);
}

async function start(folder: string, { signal, settings = {} }: EmbeddedOptions): Promise<EmbeddedPostgres> {
  signal?.throwIfAborted();
  const binaries = await binariesIn(findPackage(), join(folder, "postgres-libraries"));
  const throwAway = settings.fsync === "off";
  const cluster = await openCluster(folder, binaries, throwAway);
  const left = await adopt(cluster, binaries, signal);
  if (left && !hasSharedPassword(cluster)) return serverFrom(cluster, left, true);
  if (left) await shutDown(left);
  if (hasSharedPassword(cluster)) await separateSuperuser(cluster, binaries, throwAway);
  return serverFrom(cluster, await launch(cluster, binaries, settings, signal), false);
}

function serverFrom(cluster: Cluster, postmaster: Postmaster, adopted: boolean): EmbeddedPostgres {
  const { socketFolder, process, ended } = postmaster;
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= shutDown(postmaster).then(() => dropSocketFolder(socketFolder, cluster.home));
    return stopped;
  };
  const died = ended.then(async (how) => {
    if (stopped) return new Promise<never>(() => {});
    const lines = await tailOfLog(cluster.log, 0);
    return `PostgreSQL (process ${process.pid}) ended by itself: ${how}. Last lines of ${cluster.log}:\n${lines}`;
  });
  const url = socketUrl({ socketFolder, user: SERVICE, password: cluster.password, database: SERVICE });
  return { url, adopted, pid: process.pid, died, stop, [Symbol.asyncDispose]: stop };
}

/**
 * Releases the folder's lock after PostgreSQL has ended, so that a process that gets the folder finds no server on
 * it.
 */
function withFolder(server: EmbeddedPostgres, folder: DataFolder): EmbeddedPostgres {
  const stop = async () => {
    await server.stop();
    await folder[Symbol.asyncDispose]();
  };
  return { ...server, stop, [Symbol.asyncDispose]: stop };
}
