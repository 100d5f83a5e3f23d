import type { TaskRecord } from "../../task/types.ts";
import type { Job } from "../job.ts";

/** Fields of a task that an executor needs to create its job. */
export type TaskOfJob = Pick<TaskRecord, "id" | "project" | "template" | "app" | "plan" | "executorHandle">;

/** Runs tasks on this machine, in containers or on remote machines. A task's `executor` field names it. */
export interface Executor<Input> {
  /**
   * Node that may take over a task whose node is away. "the same": only the node that started the program can reach it; if
   * that node stays away for the lost timeout, the task ends as LOST. "any": every node can reach the program and takes the
   * task over soon after its lease has expired; the task's job decides whether the program is lost.
   */
  readonly takenOverBy: "the same" | "any";
  /** Creates the job of a task. `say` adds a line to the task's log. */
  createJob(task: TaskOfJob, say: (text: string) => void): Job<Input>;
  readonly leftovers: Leftovers;
}

/** Executors of a server, by name. */
export type Executors<Input> = Readonly<Record<string, Executor<Input>>>;

/** Returns the executor of that name. @throws Error if this server has none. */
export function executorOf<Input>(executors: Executors<Input>, name: string): Executor<Input> {
  const executor = Object.hasOwn(executors, name) ? executors[name] : undefined;
  if (executor) return executor;
  throw new Error(
    `Cannot run on executor ${name}: this server has ${Object.keys(executors).sort().join(", ")}`,
  );
}

/** Returns the names of executors whose tasks only their own node may take over, and of those whose tasks any node may. */
export function namesOf(executors: Executors<never>): { own: string[]; shared: string[] } {
  const names = Object.keys(executors);
  const isShared = (name: string) => executors[name]?.takenOverBy === "any";
  return { own: names.filter((name) => !isShared(name)), shared: names.filter(isShared) };
}

/** Files and processes that tasks have left with an executor, by task id. */
export interface Leftovers {
  /** Lists the tasks with leftovers. @throws Error if they cannot be listed: an empty list would mean that nothing is left. */
  list(): Promise<string[]>;
  /** Kills the processes that these tasks have left, then removes their files. Never rejects. */
  clear(ids: readonly string[]): Promise<void>;
  /**
   * Clears all leftovers of this node but those of the `kept` tasks. Called when a node starts: its earlier server may have
   * died during a preparation, or other nodes may have declared its tasks lost.
   */
  clearAllBut(kept: readonly string[]): Promise<void>;
}
