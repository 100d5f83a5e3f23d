import { createHealthState, type HealthState } from "../http/health-state.ts";
import { namesOf } from "../jobs/executors/executor.ts";
import { forwardedVariables } from "../jobs/executors/local/environment.ts";
import { createLocalExecutor } from "../jobs/executors/local/executor.ts";
import type { LocalJobOptions } from "../jobs/executors/local/local-job.ts";
import { probeMachine } from "../jobs/executors/local/probe.ts";
import { makeTasksRoot } from "../jobs/executors/local/task-folder.ts";
import { createFitness, type Fitness } from "../pool/fitness.ts";
import { createTaskPool, type TaskPool } from "../pool/pool.ts";
import { poolStore } from "../pool/store.ts";
import { createLauncher } from "../process/launcher.ts";
import { ShutdownError } from "../runner/control.ts";
import { loadHookModules } from "../runner/hook-modules.ts";
import { createCallPolicy, type Endpoint } from "../runner/hooks/call-policy.ts";
import { familyHook } from "../runner/hooks/family.ts";
import { createKeepLateLines, withLateLines } from "../runner/late-lines.ts";
import { runTask } from "../runner/lifecycle.ts";
import type { RunnerDeps } from "../runner/run.ts";
import { runStore } from "../runner/store.ts";
import { readLateTasks, storeLateChunks } from "../store/logs/late.ts";
import { retryTransient } from "../store/postgres/transient-errors.ts";
import type { ServiceContext } from "./context.ts";
import { closedPaths } from "./isolation.ts";
import type { Live } from "./live.ts";
import type { Presence } from "./presence.ts";
import { type AllShared, openShared } from "./shared.ts";

/** The part of the service that runs tasks. */
export interface Runner extends Pick<AllShared, "mirrors" | "isolation"> {
  pool: TaskPool;
  fitness: Fitness;
  /** Health of this part: whether this server can start tasks. */
  health: HealthState;
  tasksRoot: string;
}

/** `own`: endpoints of this service, which hooks may not call. */
export async function openRunner(
  context: ServiceContext,
  live: Live,
  own: readonly Endpoint[],
  presence: Presence,
  stack: AsyncDisposableStack,
): Promise<Runner> {
  const { config, logger, databases, node, dataDir, cipher, operatorLog } = context;
  const hooks = [...(await loadHookModules(config.hooks)), familyHook];
  const shutdown = new AbortController();
  const tasksRoot = await makeTasksRoot(`${dataDir}/tasks`);
  const launcher = stack.use(createLauncher());
  const health = createHealthState(true);
  const fitness = createFitness({
    probe: () => probeMachine({ tasksRoot, launcher }),
    onChange(isFit) {
      health.set(isFit);
      live.pool.wake();
    },
    logger,
  });
  presence.problem = () => fitness.problem;
  await fitness.check();
  const { sharedBy, ...shared } = openShared(context, tasksRoot);
  const job: LocalJobOptions = {
    tasksRoot,
    node,
    apps: config.apps,
    launcher,
    forwarded: forwardedVariables(config.forwardedEnv),
    sharedBy,
    closed: closedPaths(context),
    isolationExempt: config.isolationExempt,
  };
  const onStuck = (folder: string, err: unknown) =>
    logger.warn({ folder, err }, "the folder of an ended task cannot be removed; the server tries again");
  const executors = { local: createLocalExecutor({ ...job, onStuck }) };
  const retried = <T>(work: () => Promise<T>) => retryTransient(work, shutdown.signal);
  const keepLateLines = createKeepLateLines({
    store: {
      readLateTasks: (ids) => retried(() => readLateTasks(databases.control, node, ids)),
      storeLateChunks: (id, chunks) => retried(() => storeLateChunks(databases.logs, id, chunks)),
    },
    executors,
    cipher,
    logger,
    shutdown: shutdown.signal,
  });
  const runner: RunnerDeps = {
    keepLateLines,
    store: runStore(databases, shutdown.signal, operatorLog),
    cipher,
    hooks,
    mayCall: createCallPolicy(config.hookNetworks, () => own),
    listeners: live.feed,
    operatorLog,
    executors,
    faultBehind: fitness.faultBehind,
    onDefect: (task, err) => logger.error({ err, task }, "a task failed because of a defect in Signalman"),
  };
  const pool = createTaskPool({
    store: poolStore(databases, node, config.lostTimeout, namesOf(executors), config.tags),
    maxParallelTasks: config.maxParallelTasks,
    run: (lease, control) => runTask(runner, lease, control, shutdown.signal),
    fitness,
    isDraining: () => presence.isDraining(),
    onFreed(lostTasks) {
      for (const id of lostTasks) live.bus.publish(id, { queue: true });
      live.pool.wake();
    },
    leftovers: withLateLines(executors.local.leftovers, keepLateLines),
    onStatus: (id, status) => live.feed.status.forEach((listener) => void listener(id, status)),
    operatorLog,
    logger,
  });
  live.connect(pool);
  stack.defer(async () => {
    shutdown.abort(new ShutdownError());
    await pool.stop();
  });
  return { pool, fitness, health, tasksRoot, ...shared };
}
