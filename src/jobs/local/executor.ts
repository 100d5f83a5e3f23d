import type { Executor } from "../executor.ts";
import { createLeftovers, type LeftoversOptions } from "./leftovers.ts";
import { createLocalJob, type JobInput, type LocalJobOptions } from "./local-job.ts";

/** Runs tasks on this machine. Only the node whose data folder it is can reach them; the folder's lock proves which. */
export function createLocalExecutor(
  options: LocalJobOptions & Pick<LeftoversOptions, "onStuck">,
): Executor<JobInput> {
  return {
    takenOverBy: "the same",
    createJob: (task, say) => createLocalJob(options, task, say),
    leftovers: createLeftovers(options),
  };
}
