import { mayAt } from "../access/rights.ts";
import { failpoint } from "../async/failpoint.ts";
import { grantsOf } from "../store/accounts/tokens.ts";
import { storeChunks } from "../store/logs/logs.ts";
import type { Databases } from "../store/postgres/databases.ts";
import { retryTransient } from "../store/postgres/transient-errors.ts";
import { recordCommit } from "../store/tasks/commits.ts";
import { loadRun } from "../store/tasks/details.ts";
import { release } from "../store/tasks/leases.ts";
import { park } from "../store/tasks/plans.ts";
import { putBack } from "../store/tasks/put-back.ts";
import { storeResult } from "../store/tasks/results.ts";
import { finish, markRunning } from "../store/tasks/transitions.ts";
import { loadAutoruns } from "../store/tasks/versions.ts";
import type { OperatorLog } from "../telemetry/operator-log.ts";
import type { RunStore } from "./run.ts";

/** Returns the store of a run: calls are retried while the database is away, until `shutdown` aborts. */
export function runStore(
  { control, logs }: Databases,
  shutdown: AbortSignal,
  operatorLog: Pick<OperatorLog, "retried">,
): RunStore {
  async function retried<T>(what: string, taskId: string, work: () => Promise<T>): Promise<T> {
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
    load: (lease) => retried("load its details", lease.id, () => loadRun(control, lease)),
    storeChunks: (lease, chunks) =>
      retried("store its output", lease.id, async () => {
        await failpoint("before-log-commit");
        const events = await logs.run((db) => storeChunks(db, lease, chunks));
        await failpoint("after-log-commit");
        return events;
      }),
    recordCommit: (lease, commit) =>
      retried("record its commit", lease.id, () => recordCommit(control, lease, commit)),
    storeResult: (lease, result) =>
      retried("store its result", lease.id, () => storeResult(control, lease, result)),
    markRunning: (task, handle) =>
      retried("record its start", task.id, () => markRunning(control, task, handle)),
    loadAutoruns: (task) =>
      retried("look for deploys that follow", task.id, async () => {
        const autoruns = await loadAutoruns(control, task);
        const grants = autoruns.length > 0 ? await grantsOf(control, task.createdBy) : [];
        return autoruns.map((autorun) => ({
          ...autorun,
          isPermitted: mayAt({ grants }, "tasks.run", { project: task.project, template: autorun.name }),
        }));
      }),
    finish: (lease, outcome, ending) =>
      retried("record its end", lease.id, async () => {
        const finished = await finish(control, lease, outcome, ending);
        await failpoint("after-finish");
        return finished;
      }),
    park: (task, plan, last) => retried("store its plan", task.id, () => park(control, task, plan, last)),
    putBack: (lease, why) => retried("put it back", lease.id, () => putBack(control, lease, why)),
    // Tried once, since the server is shutting down. If it fails, the lease expires or the next start finds the task.
    release: (lease) => release(control, lease).catch(() => undefined),
  };
}
