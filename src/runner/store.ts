import { storeChunks } from "../store/logs/logs.ts";
import type { Databases } from "../store/postgres/databases.ts";
import { retryTransient } from "../store/postgres/transient-errors.ts";
import { loadRun } from "../store/tasks/details.ts";
import { release } from "../store/tasks/leases.ts";
import { finish, markRunning } from "../store/tasks/moves.ts";
import { park } from "../store/tasks/plans.ts";
import { storeResult } from "../store/tasks/results.ts";
import { recordCommit } from "../store/tasks/tasks.ts";
import { loadAutoruns } from "../store/tasks/versions.ts";
import type { RunStore } from "./run.ts";

/** A run writes until it is done: while the database is away it waits, up to the shutdown. */
export function runStore({ control, logs }: Databases, shutdown: AbortSignal): RunStore {
  return {
    load: (lease) => retryTransient(() => loadRun(control, lease), shutdown),
    storeChunks: (lease, chunks) =>
      retryTransient(() => logs.run((db) => storeChunks(db, lease, chunks)), shutdown),
    recordCommit: (id, hash, message) =>
      retryTransient(() => recordCommit(control, id, hash, message), shutdown),
    storeResult: (lease, result) => retryTransient(() => storeResult(control, lease, result), shutdown),
    markRunning: (task, handle) => retryTransient(() => markRunning(control, task, handle), shutdown),
    loadAutoruns: (task) => retryTransient(() => loadAutoruns(control, task), shutdown),
    finish: (lease, outcome, ending) =>
      retryTransient(() => finish(control, lease, outcome, ending), shutdown),
    park: (task, plan, last) => retryTransient(() => park(control, task, plan, last), shutdown),
    // Called during the shutdown: one try. Without it the lease expires, or the next start finds the task.
    release: (lease) => release(control, lease).catch(() => {}),
  };
}
