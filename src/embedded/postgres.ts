import { join } from "node:path";
import { adopt } from "./adoption.ts";
import { binariesIn, findPackage } from "./binaries.ts";
import { type Cluster, openCluster, SERVICE } from "./cluster.ts";
import { type DataFolder, openDataFolder } from "./data-folder.ts";
import { launch } from "./launch.ts";
import { type Postmaster, shutDown } from "./postmaster.ts";
import { tailOfLog } from "./server-log.ts";
import { dropSocketFolder } from "./socket-folder.ts";
import { socketUrl } from "./socket-url.ts";

/** A PostgreSQL of our own that takes connections. Disposing it is `stop`. */
export interface EmbeddedPostgres extends AsyncDisposable {
  /** for libpq as it is; for postgres.js as `postgres(url, { ...socketOptions(url) })` */
  readonly url: string;
  /** true if it was running when we came, left by a server that was killed */
  readonly adopted: boolean;
  readonly pid: number;
  /** Resolves, with a sentence for the log, if the server ends without `stop`. Otherwise it never does. */
  readonly died: Promise<string>;
  /** Ends all sessions and waits until everything is on disk and the server is gone. May be called twice. */
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  /** gives up waiting; a server that is already starting goes on and is adopted next time */
  readonly signal?: AbortSignal;
  /** PostgreSQL settings that beat its files; `fsync: "off"` also makes a new cluster without waiting for the disk */
  readonly settings?: Record<string, string>;
}

/**
 * Adopts or starts the PostgreSQL in `<folder>/postgres`, which is created on first use.
 *
 * @param folder a path is opened, and its lock held until `stop`; an open folder stays the caller's
 * @throws DataFolderInUse, EmbeddedPostgresError
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
  const cluster = await openCluster(folder, binaries, settings.fsync === "off");
  const left = await adopt(cluster, binaries, signal);
  const postmaster = left ?? (await launch(cluster, binaries, settings, signal));
  return serverFrom(cluster, postmaster, left !== undefined);
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

/** The lock goes last, so that nobody finds the folder free and its server still there. */
function withFolder(server: EmbeddedPostgres, folder: DataFolder): EmbeddedPostgres {
  const stop = async () => {
    await server.stop();
    await folder[Symbol.asyncDispose]();
  };
  return { ...server, stop, [Symbol.asyncDispose]: stop };
}
