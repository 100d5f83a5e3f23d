import type { Logger } from "pino";
import { startLoop } from "../async/poll-loop.ts";
import type { Config } from "../config.ts";
import { openDataFolder } from "../embedded/data-folder.ts";
import { startEmbeddedPostgres } from "../embedded/postgres.ts";
import { createMirrors } from "../git/mirrors.ts";
import { createHandler } from "../http/handler.ts";
import { createHealthState, type HealthState } from "../http/health-state.ts";
import { listen } from "../http/port.ts";
import { assertSafeListen } from "../http/safe-listen.ts";
import { createAppInspector } from "../jobs/inspect-apps.ts";
import { forwardedVariables } from "../jobs/local/environment.ts";
import { createLeftovers } from "../jobs/local/leftovers.ts";
import { createLocalJob, type LocalJobOptions } from "../jobs/local/local-job.ts";
import { removeOldMirrors } from "../jobs/local/old-mirrors.ts";
import { makeTasksRoot } from "../jobs/local/task-folder.ts";
import { type Cipher, createCipher } from "../keys/cipher.ts";
import { readSecretKeys } from "../keys/secret-key.ts";
import { createHub, type Hub } from "../live/hub.ts";
import { startPoller } from "../live/poller.ts";
import { createTaskPool, type TaskPool } from "../pool/pool.ts";
import { poolStore } from "../pool/store.ts";
import { createLauncher, type Launcher } from "../process/launcher.ts";
import { rpcDeps } from "../rpc/deps.ts";
import { interceptors } from "../rpc/interceptors/all.ts";
import { routes } from "../rpc/routes.ts";
import { violationsOf } from "../rpc/rules/check.ts";
import { ShutdownRequested } from "../runner/control.ts";
import { loadHookModules } from "../runner/hook-modules.ts";
import { HOOKS } from "../runner/hooks/all.ts";
import type { Hook } from "../runner/hooks.ts";
import { runTask } from "../runner/lifecycle.ts";
import type { Listeners } from "../runner/logging.ts";
import { liveFeed } from "../runner/notifications.ts";
import type { RunnerDeps } from "../runner/run.ts";
import { runStore } from "../runner/store.ts";
import { keepHouse, ping } from "../store/housekeeping.ts";
import { type Bus, openBus } from "../store/postgres/bus.ts";
import { type Databases, openDatabases } from "../store/postgres/databases.ts";
import { migratePatiently } from "../store/postgres/migrate.ts";
import { isTransientError } from "../store/postgres/transient-errors.ts";
import { readMarks } from "../store/tasks/progress.ts";

export interface Service extends AsyncDisposable {
  /** `http://host:port` */
  readonly url: string;
  /** Resolves, with a sentence, if the service cannot go on. */
  readonly died: Promise<string>;
}

/** Calls that are under way may take this long to end at shutdown. */
const CLOSE_GRACE_MS = 2000;
/** A repository's host may be silent for so long; before each further try the next pause. */
const GIT_PATIENCE = { idleMs: 60_000, retryMs: [1000, 4000] };

/** Builds every part once. Disposing it takes them down in reverse: no new work, streams end, what runs is left alone. */
export async function startService(config: Config, logger: Logger): Promise<Service> {
  await using stack = new AsyncDisposableStack();
  await assertSafeListen(config.listen.host, config.token !== undefined);
  const hooks = [...(await loadHookModules(config.hooks)), ...HOOKS];
  const folder = stack.use(await openDataFolder(config.dataDir));
  const embedded =
    config.databaseUrl === undefined ? stack.use(await startEmbeddedPostgres(folder)) : undefined;
  const url = config.databaseUrl ?? embedded?.url ?? "";
  await migratePatiently(url);
  const cipher = createCipher(config.secretKeys ?? (await readSecretKeys(folder.path)));
  const databases = openDatabases(url);
  stack.defer(() => databases.close());

  const hub = createHub();
  let pool: TaskPool | undefined;
  const bus = openBus({
    url,
    node: folder.nodeId,
    onNotice({ tasks, queue }) {
      for (const id of tasks) hub.wake(id);
      pool?.applyKillRequests(tasks);
      if (queue) pool?.wake();
    },
    onReconnect() {
      hub.wakeAll();
      pool?.wake();
    },
  });
  stack.defer(() => bus.close());
  stack.use(startPoller({ hub, readMarks: (ids) => readMarks(databases.reads, ids) }));

  const feed = liveFeed(hub, bus);
  const launcher = stack.use(createLauncher());
  const started = await startPool({
    config,
    launcher,
    logger,
    databases,
    node: folder.nodeId,
    dataDir: folder.path,
    cipher,
    feed,
    hooks,
  });
  pool = started.pool;
  stack.defer(started.stop);
  const health = createHealthState();
  const server = await startServer({ config, logger, databases, cipher, hub, bus, feed, pool, health });
  stack.defer(server.close);
  stack.use(watchDatabase(databases, health, logger));
  await pool.start();
  health.set(true);
  const owned = stack.move();
  return {
    url: server.url,
    died: embedded?.died ?? new Promise(() => {}),
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

interface PoolParts {
  config: Config;
  launcher: Launcher;
  logger: Logger;
  databases: Databases;
  node: string;
  dataDir: string;
  cipher: Cipher;
  feed: Listeners;
  hooks: readonly Hook[];
}

async function startPool(parts: PoolParts) {
  const { config, launcher, logger, databases, node, dataDir, cipher, feed, hooks } = parts;
  const shutdown = new AbortController();
  const tasksRoot = await makeTasksRoot(`${dataDir}/tasks`);
  const job: LocalJobOptions = {
    tasksRoot,
    node,
    apps: config.apps,
    launcher,
    forwarded: forwardedVariables(config.forwardedEnv),
    mirrors: createMirrors({ root: `${dataDir}/mirrors`, ...GIT_PATIENCE }),
    galaxyCache: `${dataDir}/galaxy`,
    ssh: { hostKeys: config.sshHostKeys, knownHosts: config.sshKnownHosts ?? `${dataDir}/known_hosts` },
  };
  const runner: RunnerDeps = {
    store: runStore(databases, shutdown.signal),
    cipher,
    hooks,
    listeners: feed,
    createJob: (task, say) => createLocalJob(job, task, say),
    onDefect: (task, err) => logger.error({ err, task }, "a task failed for a reason of ours"),
  };
  const pool = createTaskPool({
    store: poolStore(databases, node, config.lostTimeout),
    maxParallelTasks: config.maxParallelTasks,
    run: (lease, control) => runTask(runner, lease, control, shutdown.signal),
    leftovers: createLeftovers({ tasksRoot, node }),
    onStatus: (id, status) => feed.status.forEach((listener) => void listener(id, status)),
    logger,
  });
  const chores = startLoop({ everyMs: 3_600_000, name: "remove old mirrors", logger }, () =>
    removeOldMirrors(job),
  );
  chores.start();
  return {
    pool,
    async stop() {
      shutdown.abort(new ShutdownRequested());
      await Promise.all([pool.stop(), chores.stop()]);
    },
  };
}

interface ServerParts {
  config: Config;
  logger: Logger;
  databases: Databases;
  cipher: Cipher;
  hub: Hub;
  bus: Bus;
  feed: Listeners;
  pool: TaskPool;
  health: HealthState;
}

async function startServer({ config, logger, databases, cipher, hub, bus, feed, pool, health }: ServerParts) {
  const shutdown = new AbortController();
  const deps = rpcDeps(databases, {
    cipher,
    hub,
    inspectApps: createAppInspector({
      apps: config.apps,
      forwarded: forwardedVariables(config.forwardedEnv),
    }),
    onCreated(id) {
      for (const listener of feed.status) listener(id, "WAITING");
      pool.wake();
    },
    onDecided(task) {
      for (const listener of feed.status) listener(task.id, task.status);
      pool.applyKillRequests([task.id]);
      pool.wake();
    },
    onChanged(id) {
      hub.wake(id);
      bus.publish(id, { queue: true });
      pool.applyKillRequests([id]);
      pool.wake();
    },
  });
  const handler = createHandler({
    routes: routes(deps),
    interceptors: interceptors({
      logger,
      token: config.token,
      rules: violationsOf,
      isPassing: isTransientError,
    }),
    health,
    shutdown: shutdown.signal,
    gzip: config.compression === "gzip",
    host: config.listen.host,
    allowedOrigins: config.allowedOrigins,
    logger,
  });
  const port = await listen({ ...config.listen, handler });
  return {
    url: port.url,
    async close() {
      health.set(false);
      shutdown.abort(new ShutdownRequested());
      await port.close(CLOSE_GRACE_MS);
    },
  };
}

/** Health follows the database; hourly chores besides. */
function watchDatabase(databases: Databases, health: HealthState, logger: Logger): AsyncDisposable {
  const looks = startLoop({ everyMs: 2000, name: "ask the database", logger }, async () => {
    const isThere = await ping(databases.health).then(
      () => true,
      () => false,
    );
    health.set(isThere);
  });
  const chores = startLoop({ everyMs: 3_600_000, name: "housekeeping", logger }, () =>
    keepHouse(databases.control),
  );
  looks.start();
  chores.start();
  return { [Symbol.asyncDispose]: async () => void (await Promise.all([looks.stop(), chores.stop()])) };
}
