import { end } from "./end.ts";
import { outcomeOfFailure } from "./outcome.ts";
import { announce, type RunnerDeps, type TaskRun } from "./run.ts";

/**
 * This server cannot do its part of a run; the message says why. The task is not at fault, and does not end: one whose
 * program may have started is taken over again by this node when its lease is over.
 */
export class ServerFault extends Error {
  readonly mayHaveStarted: boolean;

  constructor(message: string, mayHaveStarted: boolean, cause: unknown) {
    super(message, { cause });
    this.name = "ServerFault";
    this.mayHaveStarted = mayHaveStarted;
  }
}

/**
 * Gives a task back whose program was not started: any server may start it. A confirmed plan can only be applied where its
 * workspace is, and stays with this node.
 */
export async function returnToQueue(deps: RunnerDeps, run: TaskRun, fault: ServerFault): Promise<void> {
  const { task, job, control } = run;
  if (task.plan) throw fault;
  await job.cleanup();
  if (await deps.store.putBack(task, fault.message)) {
    deps.operatorLog.step("put back", task, { reason: fault.message });
    announce(deps, task.id, "WAITING");
    return job.forget();
  }
  // Somebody asked for its end meanwhile.
  control.stop("user", 0);
  await end(deps, run, outcomeOfFailure(fault, control.reason, task.spec));
}
