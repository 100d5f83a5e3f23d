import { bootId } from "../process/proc.ts";
import type { Databases } from "../store/databases.ts";
import { loadRun } from "../store/details.ts";
import { release } from "../store/leases.ts";
import { storeChunks } from "../store/logs.ts";
import { finish, markRunning } from "../store/moves.ts";
import { park } from "../store/plans.ts";
import { storeResult } from "../store/results.ts";
import { recordCommit } from "../store/tasks.ts";
import { persist } from "../store/trouble.ts";
import { loadAutoruns } from "../store/versions.ts";
import type { RunStore } from "./run.ts";

/** A run writes until it is done: while the database is away it waits, up to the shutdown. */
export function runStore({ control, logs }: Databases, shutdown: AbortSignal): RunStore {
  return {
    load: (lease) => persist(() => loadRun(control, lease), shutdown),
    storeChunks: (lease, chunks) => persist(() => logs.run((db) => storeChunks(db, lease, chunks)), shutdown),
    recordCommit: (id, hash, message) => persist(() => recordCommit(control, id, hash, message), shutdown),
    storeResult: (lease, result) => persist(() => storeResult(control, lease, result), shutdown),
    markRunning: (task) => persist(() => markRunning(control, task, bootId()), shutdown),
    loadAutoruns: (task) => persist(() => loadAutoruns(control, task), shutdown),
    finish: (lease, outcome, ending) => persist(() => finish(control, lease, outcome, ending), shutdown),
    park: (task, plan, last) => persist(() => park(control, task, plan, last), shutdown),
    // Called during the shutdown: one try. Without it the lease expires, or the next start finds the task.
    release: (lease) => release(control, lease).catch(() => {}),
  };
}
