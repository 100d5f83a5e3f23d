import { end } from "./end.ts";
import { outcomeOfFailure } from "./outcome.ts";
import { announce, type RunnerDeps, type TaskRun } from "./run.ts";

/**
 * Thrown when this server cannot do its part of a run, such as for want of disk space; the message says why. It does
 * not end the task. A task whose program may have been started is taken over again by this node when its lease has
 * expired.
 */
export class ServerFaultError extends Error {
  readonly mayHaveStarted: boolean;

  constructor(message: string, mayHaveStarted: boolean, cause: unknown) {
    super(message, { cause });
    this.name = "ServerFaultError";
    this.mayHaveStarted = mayHaveStarted;
  }
}

/**
 * Returns a task whose program was not started to the queue, where any server may claim it.
 * @throws ServerFaultError if the task is a confirmed plan, which stays with the node that has its workspace.
 */
export async function returnToQueue(deps: RunnerDeps, run: TaskRun, fault: ServerFaultError): Promise<void> {
  const { task, job, control } = run;
  if (task.plan) throw fault;
  await job.cleanup();
  if (await deps.store.putBack(task, fault.message)) {
    deps.operatorLog.step("put back", task, { reason: fault.message });
    announce(deps, task.id, "WAITING");
    await job.forget();
    return;
  }
  // The task was killed meanwhile.
  control.stop("user", 0);
  await end(deps, run, outcomeOfFailure(fault, control.reason, task.spec));
}
