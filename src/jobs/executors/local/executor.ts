import type { Executor } from "../executor.ts";
import { createLeftovers, type LeftoversOptions } from "./leftovers.ts";
import { createLocalJob, type JobInput, type LocalJobOptions } from "./local-job.ts";

/** Runs tasks on this machine. Only the node that holds the lock of the data folder can reach their programs. */
export function createLocalExecutor(
  options: LocalJobOptions & Pick<LeftoversOptions, "onStuck">,
): Executor<JobInput> {
  return {
    takenOverBy: "the same",
    createJob: (task, say) => createLocalJob(options, task, say),
    leftovers: createLeftovers(options),
  };
}
