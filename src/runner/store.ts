import { storeChunks } from "../store/logs/logs.ts";
import type { Databases } from "../store/postgres/databases.ts";
import { retryTransient } from "../store/postgres/transient-errors.ts";
import { loadRun } from "../store/tasks/details.ts";
import { release } from "../store/tasks/leases.ts";
import { finish, markRunning } from "../store/tasks/moves.ts";
import { park } from "../store/tasks/plans.ts";
import { putBack } from "../store/tasks/put-back.ts";
import { storeResult } from "../store/tasks/results.ts";
import { recordCommit } from "../store/tasks/tasks.ts";
import { loadAutoruns } from "../store/tasks/versions.ts";
import type { OperatorLog } from "../task/operator-log.ts";
import type { RunStore } from "./run.ts";

/** A run writes until it is done: while the database is away it waits, up to the shutdown. */
export function runStore(
  { control, logs }: Databases,
  shutdown: AbortSignal,
  operatorLog: Pick<OperatorLog, "retried">,
): RunStore {
  async function until<T>(what: string, taskId: string, work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    let [tries, last] = [0, undefined as unknown];
    try {
      return await retryTransient(work, shutdown, (error) => {
        tries++;
        last = error;
      });
    } finally {
      const ms = Math.round(performance.now() - began);
      if (tries > 0) operatorLog.retried({ taskId, what, tries, ms, error: last });
    }
  }

  return {
    load: (lease) => until("load its details", lease.id, () => loadRun(control, lease)),
    storeChunks: (lease, chunks) =>
      until("store its output", lease.id, () => logs.run((db) => storeChunks(db, lease, chunks))),
    recordCommit: (lease, commit) =>
      until("record its commit", lease.id, () => recordCommit(control, lease, commit)),
    storeResult: (lease, result) =>
      until("store its result", lease.id, () => storeResult(control, lease, result)),
    markRunning: (task, handle) =>
      until("record its start", task.id, () => markRunning(control, task, handle)),
    loadAutoruns: (task) => until("look for deploys that follow", task.id, () => loadAutoruns(control, task)),
    finish: (lease, outcome, ending) =>
      until("record its end", lease.id, () => finish(control, lease, outcome, ending)),
    park: (task, plan, last) => until("store its plan", task.id, () => park(control, task, plan, last)),
    putBack: (lease, why) => until("put it back", lease.id, () => putBack(control, lease, why)),
    // Called during the shutdown: one try. Without it the lease expires, or the next start finds the task.
    release: (lease) => release(control, lease).catch(() => undefined),
  };
}
