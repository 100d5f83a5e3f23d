import type { Logger } from "pino";
import { startLoop } from "../async/poll-loop.ts";
import { warnOnce } from "../async/warn-once.ts";
import type { Leftovers } from "../jobs/executor.ts";
import { createControl, type RunControl, ShutdownRequested } from "../runner/control.ts";
import type { StatusListener } from "../runner/logging.ts";
import { retryTransient } from "../store/postgres/transient-errors.ts";
import { type KillRequestState, LEASE_SECONDS } from "../store/tasks/leases.ts";
import type { Lease, Moved } from "../store/tasks/moves.ts";
import type { OperatorLog } from "../task/operator-log.ts";
import type { TaskRecord } from "../task/types.ts";
import { admit } from "./admission.ts";
import type { Fitness } from "./fitness.ts";

/** What the pool needs of the store. Calls fail while the database is away; the next round tries again. */
export interface PoolStore {
  claim(slots: number, choose: typeof admit): Promise<Moved[]>;
  adopt(): Promise<{ putBack: Moved[]; adopted: Lease[] }>;
  /** What waits on this node, for a decision or for a slot. */
  parked(): Promise<Pick<TaskRecord, "id" | "status">[]>;
  /** Takes confirmed ones of them up again that are not among `running`. */
  resume(slots: number, running: string[]): Promise<Lease[]>;
  endedAmong(ids: string[]): Promise<string[]>;
  renew(ids: string[]): Promise<KillRequestState[]>;
  readKillRequests(ids: string[]): Promise<KillRequestState[]>;
  /**
   * Puts back and ends what other servers, or time, left behind; returns what moved. And takes over what is this node's
   * though it is not among `running`.
   */
  tidyUp(running: string[]): Promise<{ moved: Moved[]; adopted: Lease[] }>;
}

export interface PoolOptions {
  store: PoolStore;
  /** Tasks that run at once on this server. */
  maxParallelTasks: number;
  run(lease: Lease, control: RunControl): Promise<void>;
  /** While this server cannot start tasks it claims none. */
  fitness: Pick<Fitness, "isFit">;
  /** What tasks have left where they ran. */
  leftovers: Leftovers;
  /** Told of STARTING, WAITING and what the queue's clock ended. */
  onStatus: StatusListener;
  operatorLog: Pick<OperatorLog, "step">;
  logger: Logger;
}

/** The TaskPool: takes what may start, keeps its leases, applies kill requests. */
export interface TaskPool {
  /** Takes over what this node left, however long the database is away, then begins to claim. */
  start(): Promise<void>;
  /** The queue may have something to start. */
  wake(): void;
  /** Reads the kill requests of these tasks and applies them to their runs. */
  applyKillRequests(taskIds: readonly string[]): void;
  /** No new work. Resolves when all runs have let go, which the shutdown's signal tells them to. */
  stop(): Promise<void>;
  readonly running: number;
}

const CLAIM_POLL_MS = 1000;
const RENEW_MS = (LEASE_SECONDS * 1000) / 3;

export function createTaskPool(options: PoolOptions): TaskPool {
  const { store, logger, onStatus, operatorLog } = options;
  const runs = new Map<string, { lease: Lease; control: RunControl; done: Promise<void> }>();
  /** Tasks that may be parked here: nothing of them runs, their folder stays. */
  let idle = new Set<string>();
  let mayResume = false;

  /** A run of the same task under an earlier epoch is over first: it shares the task's folder. */
  function begin(lease: Lease): void {
    const earlier = runs.get(lease.id);
    earlier?.control.stop("lease_lost", 0);
    const control = createControl();
    const done = Promise.resolve(earlier?.done)
      .then(() => options.run(lease, control))
      .catch((error: unknown) => logger.error({ err: error, task: lease.id }, "a run failed"))
      .finally(() => {
        if (runs.get(lease.id)?.control === control) runs.delete(lease.id);
        idle.add(lease.id);
        claims.wakeTogether();
      });
    runs.set(lease.id, { lease, control, done });
  }

  /** Of what was put back, or ended while no run of it was here. */
  function tell(moved: readonly Moved[]): void {
    for (const task of moved) {
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

  /** Confirmed plans go first: they hold their template's place already. */
  const claims = startLoop({ everyMs: CLAIM_POLL_MS, logger, name: "claim" }, async () => {
    if (!options.fitness.isFit) return;
    if (mayResume && freeSlots() > 0) {
      mayResume = false;
      for (const lease of await store.resume(freeSlots(), [...runs.keys()])) begin(lease);
    }
    if (freeSlots() <= 0) return;
    for (const lease of await store.claim(freeSlots(), admit)) {
      onStatus(lease.id, "STARTING");
      operatorLog.step("claimed", lease, { waitedMs: Math.round(lease.ageMs) });
      begin(lease);
    }
  });

  const tidy = startLoop({ everyMs: CLAIM_POLL_MS, logger, name: "tidy up" }, async () => {
    const { moved, adopted } = await store.tidyUp([...runs.keys()]);
    tell(moved);
    for (const lease of adopted) begin(lease);
    if (moved.some(({ status }) => status === "WAITING")) claims.wake();
    await tidyParked();
  });

  /** Finds plans that were confirmed, and clears up after those that ended while they waited. */
  async function tidyParked(): Promise<void> {
    const parked = await store.parked();
    idle = new Set(parked.map(({ id }) => id));
    if (parked.some(({ id, status }) => status === "CONFIRMED" && !runs.has(id))) resumeSoon();
    const folders = await options.leftovers.list();
    const others = folders.filter((id) => !runs.has(id) && !idle.has(id));
    if (others.length > 0) await options.leftovers.clear(await store.endedAmong(others));
  }

  function resumeSoon(): void {
    mayResume = true;
    claims.wake();
  }

  const renewals = startLoop({ everyMs: RENEW_MS, logger, name: "renew leases" }, async () => {
    const before = [...runs.keys()];
    const held = new Set((await store.renew(before)).map(({ id }) => id));
    applyKillRequests(before.filter((id) => !held.has(id)));
  });

  const requested = new Set<string>();
  const killRequests = startLoop({ everyMs: CLAIM_POLL_MS, logger, name: "read kill requests" }, async () => {
    const ids = requested.size > 0 ? [...requested] : [...runs.keys()];
    requested.clear();
    for (const request of await store.readKillRequests(ids.filter((id) => runs.has(id)))) {
      const run = runs.get(request.id);
      if (run) applyKillRequest(run.control, run.lease, request);
    }
  });

  function applyKillRequests(taskIds: readonly string[]): void {
    for (const id of taskIds) if (runs.has(id)) requested.add(id);
    if (requested.size > 0) killRequests.wake();
    if (taskIds.some((id) => idle.has(id))) resumeSoon();
  }

  const stopping = new AbortController();

  /** At the start there is no next round that would try again. */
  const patiently = <T>(work: () => Promise<T>) =>
    retryTransient(work, stopping.signal, warnOnce(logger, "take over what ran here"));

  return {
    async start() {
      const { putBack, adopted } = await patiently(() => store.adopt());
      if (adopted.length > 0)
        logger.info({ tasks: adopted.length }, "took over tasks that were running here");
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
      stopping.abort(new ShutdownRequested());
      await Promise.all([claims, tidy, renewals, killRequests].map((loop) => loop.stop()));
      await Promise.all([...runs.values()].map(({ done }) => done));
    },
    get running() {
      return runs.size;
    },
  };
}

/** Another epoch: the task is somebody else's now. */
function applyKillRequest(control: RunControl, lease: Lease, request: KillRequestState): void {
  if (request.leaseEpoch !== lease.leaseEpoch) control.stop("lease_lost", 0);
  else if (request.killTime)
    control.stop("user", request.killForce ? 0 : Math.max(0, request.killRemainingMs ?? 0));
}
