/*
 * The room pool/ decides which tasks this server runs. Four loops share one table of runs:
 *
 *   claim              takes waiting tasks under a lease, and confirmed plans of this node, while slots are free
 *   tidy up            puts back, ends or adopts tasks whose server, or whose time, is over
 *   renew leases       keeps the leases of the running tasks; a lost one stops its run
 *   read kill requests applies KillTask and RejectTask to the runs of this server
 *
 * Each loop runs every few seconds and at once when it is woken. The store has the state: if a notification is lost or
 * the database was away, the next round finds what to do. The pool guarantees at most `maxParallelTasks` runs, and one
 * run of a task at a time on this server. A run itself is the work of runner/; admission.ts has the limits of templates
 * and projects, fitness.ts whether this server can start tasks at all.
 */

import type { Logger } from "pino";
import { failpoint } from "../async/failpoint.ts";
import { firstOf, sleep } from "../async/first-of.ts";
import { startLoop } from "../async/poll-loop.ts";
import type { Leftovers } from "../jobs/executors/executor.ts";
import { createControl, type RunControl, ShutdownError } from "../runner/control.ts";
import type { StatusListener } from "../runner/logging.ts";
import { retryTransient } from "../store/postgres/transient-errors.ts";
import { type KillRequestState, LEASE_SECONDS } from "../store/tasks/leases.ts";
import type { ChangedTask, Lease } from "../store/tasks/transitions.ts";
import type { OperatorLog } from "../telemetry/operator-log.ts";
import { warnOnce } from "../telemetry/warn-once.ts";
import { admit } from "./admission.ts";
import type { Fitness } from "./fitness.ts";
import type { PoolStore } from "./store.ts";

export interface PoolOptions {
  store: PoolStore;
  /** Number of tasks that may run at once on this server. */
  maxParallelTasks: number;
  run(lease: Lease, control: RunControl): Promise<void>;
  /** Tells whether this server can start tasks; it claims none while it cannot. */
  fitness: Pick<Fitness, "isFit">;
  /** Tells whether a caller has asked that this node starts no more tasks. Confirmed plans are still applied. */
  isDraining(): boolean;
  /** Folders that tasks have left on this node. */
  leftovers: Leftovers;
  /** Called after the changes that the pool commits: STARTING, WAITING, and the end of a task that had no run here. */
  onStatus: StatusListener;
  /** Called when these LOST tasks no longer block their templates. */
  onFreed(lostTasks: readonly string[]): void;
  operatorLog: Pick<OperatorLog, "step">;
  logger: Logger;
}

/** Claims tasks, renews their leases, and applies kill requests to their runs. */
export interface TaskPool {
  /** Takes over the tasks that this node has left, retrying while the database is away, and then starts to claim. */
  start(): Promise<void>;
  /** Starts a round of claims: a task may be waiting, or a slot may be free. */
  wake(): void;
  /** Reads the kill requests of these tasks and applies them to their runs. */
  applyKillRequests(taskIds: readonly string[]): void;
  /** Stops claiming. Resolves when all runs have ended, which the caller's shutdown signal makes them do. */
  stop(): Promise<void>;
  /** Number of runs. */
  readonly running: number;
}

const CLAIM_POLL_MS = 1000;
/** Milliseconds between two claims after which others may have ended this server's tasks: it was paused, or cut off. */
const ABSENCE_MS = 5 * CLAIM_POLL_MS;
/** Longest time in milliseconds for which the first claim after an absence waits for programs of lost tasks to end. */
const LEFTOVERS_MS = LEASE_SECONDS * 1000;
const RENEW_MS = (LEASE_SECONDS * 1000) / 3;

export function createTaskPool(options: PoolOptions): TaskPool {
  const { store, logger, onStatus, operatorLog } = options;
  const runs = new Map<string, { lease: Lease; control: RunControl; done: Promise<void> }>();
  /** Ids of tasks that may be parked here: no process of them runs, and their folder is kept. */
  let idle = new Set<string>();
  let mayResume = false;
  /** When the last round of claims succeeded, by the wall clock, which goes on while the machine is suspended. */
  let claimedAt = Date.now();

  /**
   * Starts a run. An earlier run of the same task, under an earlier epoch, ends first, since both use the task's
   * folder.
   */
  function begin(lease: Lease): void {
    const earlier = runs.get(lease.id);
    earlier?.control.stop("lease_lost", 0);
    const control = createControl();
    const done = Promise.resolve(earlier?.done)
      .then(() => options.run(lease, control))
      .catch((error: unknown) =>
        logger.error({ err: error, task: lease.id }, "a task's run failed by a defect"),
      )
      .finally(() => {
        if (runs.get(lease.id)?.control === control) runs.delete(lease.id);
        idle.add(lease.id);
        claims.wakeTogether();
      });
    runs.set(lease.id, { lease, control, done });
  }

  /** Announces tasks that the pool has put back or ended, and logs these steps. */
  function tell(changed: readonly ChangedTask[]): void {
    for (const task of changed) {
      const { status, endReason, node, ageMs } = task;
      onStatus(task.id, status);
      if (status === "WAITING") {
        operatorLog.step("put back", task);
        continue;
      }
      if (endReason === "LOST") operatorLog.step("lost", task, { lostNode: node });
      operatorLog.step("ended", task, { status, reason: endReason, totalMs: Math.round(ageMs) });
    }
  }

  const freeSlots = () => options.maxParallelTasks - runs.size;

  /** Confirmed plans start before waiting tasks, since they already count against their template's limit. */
  const claims = startLoop({ everyMs: CLAIM_POLL_MS, logger, name: "claim" }, async () => {
    if (!options.fitness.isFit) return;
    if (Date.now() - claimedAt > ABSENCE_MS) await endLostRuns();
    await claimNext();
    claimedAt = Date.now();
  });

  async function claimNext(): Promise<void> {
    if (mayResume && freeSlots() > 0) {
      mayResume = false;
      for (const lease of await store.resume(freeSlots(), [...runs.keys()])) begin(lease);
    }
    if (freeSlots() <= 0 || options.isDraining()) return;
    const claimed = await store.claim(freeSlots(), admit);
    if (claimed.length > 0) await failpoint("after-claim");
    for (const lease of claimed) {
      onStatus(lease.id, "STARTING");
      operatorLog.step("claimed", lease, { waitedMs: Math.round(lease.ageMs) });
      begin(lease);
    }
  }

  /** Ends runs whose tasks were taken from this server during an absence, so that what it claims next meets none of them. */
  async function endLostRuns(): Promise<void> {
    await renewAll();
    await readAndApply([...runs.keys()]);
    const lost = [...runs.values()].filter(({ control }) => control.reason === "lease_lost");
    const ended = Promise.all(lost.map(({ done }) => done));
    await firstOf(
      stopping.signal,
      () => ended,
      (signal) => sleep(LEFTOVERS_MS, signal),
    );
  }

  const tidy = startLoop({ everyMs: CLAIM_POLL_MS, logger, name: "tidy up" }, async () => {
    const { changed, adopted } = await store.tidyUp([...runs.keys()]);
    tell(changed);
    for (const lease of adopted) begin(lease);
    if (changed.some(({ status }) => status === "WAITING")) claims.wake();
    await tidyParked();
  });

  /** Resumes confirmed plans, and removes the folders of tasks that ended while they were parked. */
  async function tidyParked(): Promise<void> {
    const parked = await store.parked();
    idle = new Set(parked.map(({ id }) => id));
    if (parked.some(({ id, status }) => status === "CONFIRMED" && !runs.has(id))) resumeSoon();
    const folders = await options.leftovers.list();
    const others = folders.filter((id) => !runs.has(id) && !idle.has(id));
    if (others.length > 0) await options.leftovers.clear(await store.endedAmong(others));
    const left = [...runs.keys(), ...(others.length > 0 ? await options.leftovers.list() : [])];
    const freed = await store.reportGone(left);
    if (freed.length > 0) options.onFreed(freed);
  }

  function resumeSoon(): void {
    mayResume = true;
    claims.wake();
  }

  const renewals = startLoop({ everyMs: RENEW_MS, logger, name: "renew leases" }, renewAll);

  async function renewAll(): Promise<void> {
    const before = [...runs.keys()];
    await failpoint("before-renew");
    const held = new Set((await store.renew(before)).map(({ id }) => id));
    applyKillRequests(before.filter((id) => !held.has(id)));
  }

  const requested = new Set<string>();
  const killRequests = startLoop({ everyMs: CLAIM_POLL_MS, logger, name: "read kill requests" }, async () => {
    const ids = requested.size > 0 ? [...requested] : [...runs.keys()];
    requested.clear();
    await readAndApply(ids);
  });

  /** A run that begins while the requests are read, under a later epoch, is not compared with them. */
  async function readAndApply(ids: readonly string[]): Promise<void> {
    const asked = ids.flatMap((id) => runs.get(id) ?? []);
    const found = await store.readKillRequests(asked.map(({ lease }) => lease.id));
    const requests = new Map(found.map((request) => [request.id, request]));
    for (const { control, lease } of asked) applyKillRequest(control, lease, requests.get(lease.id));
  }

  function applyKillRequests(taskIds: readonly string[]): void {
    for (const id of taskIds) if (runs.has(id)) requested.add(id);
    if (requested.size > 0) killRequests.wake();
    if (taskIds.some((id) => idle.has(id))) resumeSoon();
  }

  const stopping = new AbortController();

  /** Retries while the database is away: at start no later round would try again. */
  const patiently = <T>(work: () => Promise<T>) =>
    retryTransient(work, stopping.signal, warnOnce(logger, "take over the tasks of this node"));

  return {
    async start() {
      const { putBack, adopted } = await patiently(() => store.adopt());
      await failpoint("after-adopt");
      if (adopted.length > 0) logger.info({ tasks: adopted.length }, "took over running tasks of this node");
      const kept = [...adopted, ...(await patiently(() => store.parked()))];
      await options.leftovers.clearAllBut(kept.map(({ id }) => id));
      tell(putBack);
      for (const lease of adopted) begin(lease);
      for (const loop of [claims, tidy, renewals, killRequests]) loop.start();
      killRequests.wake();
    },
    wake: () => claims.wake(),
    applyKillRequests,
    async stop() {
      stopping.abort(new ShutdownError());
      await Promise.all([claims, tidy, renewals, killRequests].map((loop) => loop.stop()));
      await Promise.all([...runs.values()].map(({ done }) => done));
    },
    get running() {
      return runs.size;
    },
  };
}

/**
 * Stops a run whose task has a kill request, or whose lease has another epoch because another run has the task or it was
 * ended. `request` undefined: the task was deleted after its end.
 */
function applyKillRequest(control: RunControl, lease: Lease, request: KillRequestState | undefined): void {
  if (request?.leaseEpoch !== lease.leaseEpoch) control.stop("lease_lost", 0);
  else if (request.killTime)
    control.stop("user", request.killForce ? 0 : Math.max(0, request.killRemainingMs ?? 0));
}
