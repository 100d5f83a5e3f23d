import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import postgres from "postgres";
import type { Failpoint } from "../../../src/async/failpoint.ts";
import { openDataFolder } from "../../../src/embedded/data-folder.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../../src/embedded/postgres.ts";
import { socketOptions } from "../../../src/embedded/socket-url.ts";
import { superuserUrl } from "../../embedded/connect.ts";
import { type GuardedFolder, guardedFolder } from "../../embedded/guarded-folder.ts";
import { startService, type TestService } from "../../support/service.ts";
import type { Armed } from "./armed-failpoint.ts";

/** Milliseconds by which the clocks of the servers differ from the machine's. */
const CLOCK_OFFSETS_MS = [0, 3_600_000, -3_600_000];
/** Milliseconds between two looks at a state that announces no change. */
const LOOK_MS = 20;

/** One server of the cluster. */
export interface Server {
  readonly number: number;
  readonly service: TestService;
  readonly node: string;
  arm(point: Failpoint, armed: Armed): Promise<void>;
  disarm(point: Failpoint): Promise<void>;
  /** Points that were reached since the last call, each as `point action`. */
  hits(): Promise<string[]>;
  isAlive(): boolean;
  /** Starts it again if it has ended. Repeated until it succeeds. */
  revive(): Promise<void>;
}

/** Three servers with shifted clocks on one PostgreSQL, which writes to the disk as for users. */
export interface Cluster extends AsyncDisposable {
  readonly folder: string;
  readonly servers: readonly Server[];
  /** Connections of the superuser. */
  readonly sql: postgres.Sql;
  /** Ends PostgreSQL as `pg_ctl stop -m immediate` does, and starts it again. */
  crashPostgres(): Promise<void>;
}

export async function startCluster(program: string): Promise<Cluster> {
  await using stack = new AsyncDisposableStack();
  const guarded: GuardedFolder = stack.use(await guardedFolder(tmpdir()));
  const data = stack.use(await openDataFolder(join(guarded.path, "database")));
  let database: EmbeddedPostgres = await startEmbeddedPostgres(data);
  stack.defer(() => database.stop());
  const { url } = database;
  const admin = new URL(superuserUrl(url, data.path));
  admin.pathname = new URL(url).pathname;
  const sql = postgres(admin.href, { ...socketOptions(url), max: 2, onnotice() {} });
  stack.defer(() => sql.end({ timeout: 1 }));
  const servers: Server[] = [];
  for (const number of CLOCK_OFFSETS_MS.keys()) {
    const server = await startServer(number, { folder: guarded.path, url, program });
    stack.use(server.service);
    servers.push(server);
  }
  const owned = stack.move();
  return {
    folder: guarded.path,
    servers,
    sql,
    async crashPostgres() {
      process.kill(database.pid, "SIGQUIT");
      await database.died;
      database = await startEmbeddedPostgres(data);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function startServer(
  number: number,
  { folder, url, program }: { folder: string; url: string; program: string },
): Promise<Server> {
  const dataDir = join(folder, `server-${number}`);
  const points = join(folder, `points-${number}`);
  await mkdir(points);
  const env = {
    FAILPOINTS: points,
    CLOCK_OFFSET_MS: String(CLOCK_OFFSETS_MS[number]),
    SIGNALMAN_MAX_PARALLEL_TASKS: "50",
  };
  const service = await startService({ databaseUrl: url, dataDir, env, program });
  const node = (await readFile(join(dataDir, "node.id"), "utf8")).trim();
  /** Length of the list of hits that was returned. */
  let told = 0;
  const isAlive = () => service.process.exitCode === null && service.process.signalCode === null;
  return {
    number,
    service,
    node,
    async arm(point, armed) {
      await writeFile(join(folder, `arming-${number}`), JSON.stringify(armed));
      await rename(join(folder, `arming-${number}`), join(points, point));
    },
    disarm: (point) => rm(join(points, point), { force: true }),
    async hits() {
      const text = await readFile(join(points, "hits"), "utf8").catch(() => "");
      const fresh = text.slice(told);
      told = text.length;
      return fresh.split("\n").filter(Boolean);
    },
    isAlive,
    async revive() {
      while (!isAlive()) await service.start().catch(() => delay(LOOK_MS));
    },
  };
}

/** Waits for a condition, at most `ms` milliseconds; returns whether it came true. */
export async function within(ms: number, condition: () => boolean | Promise<boolean>): Promise<boolean> {
  const end = performance.now() + ms;
  for (;;) {
    if (await condition()) return true;
    if (performance.now() > end) return false;
    await delay(LOOK_MS);
  }
}
