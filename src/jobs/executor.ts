import type { TaskRecord } from "../task/types.ts";
import type { Job } from "./job.ts";

/** What an executor must know of a task. */
export type TaskOfJob = Pick<TaskRecord, "id" | "project" | "app" | "plan" | "executorHandle">;

/** Runs tasks somewhere: on this machine, in containers, on machines elsewhere. A task's `executor` names it. */
export interface Executor<Input> {
  /**
   * Which node may take over a task whose node is away. "the same": only the one that started it can reach its program
   * again; if that node stays away for the lost timeout, the task ends as LOST. "any": every node can reach it, and takes it
   * over soon after its lease has expired; whether it is lost, its job says.
   */
  readonly takenOverBy: "the same" | "any";
  /** `say` adds a line to the task's log. */
  createJob(task: TaskOfJob, say: (text: string) => void): Job<Input>;
  readonly leftovers: Leftovers;
}

/** By name. */
export type Executors<Input> = Readonly<Record<string, Executor<Input>>>;

/** @throws Error if this server has no executor of that name. */
export function executorOf<Input>(executors: Executors<Input>, name: string): Executor<Input> {
  const executor = Object.hasOwn(executors, name) ? executors[name] : undefined;
  if (executor) return executor;
  throw new Error(
    `Cannot run on executor ${name}: this server has ${Object.keys(executors).sort().join(", ")}`,
  );
}

/** Names of executors, by who may take their tasks over: only the node that started them, or any. */
export function namesOf(executors: Executors<never>): { own: string[]; shared: string[] } {
  const names = Object.keys(executors);
  const isShared = (name: string) => executors[name]?.takenOverBy === "any";
  return { own: names.filter((name) => !isShared(name)), shared: names.filter(isShared) };
}

/** What tasks have left with an executor, by their ids. */
export interface Leftovers {
  list(): Promise<string[]>;
  /** Removes these, after killing whatever of their tasks is still alive. Never rejects. */
  clear(ids: readonly string[]): Promise<void>;
  /**
   * The same for all others that no other node can have, at the start of a node: it may have died in the middle of a
   * preparation, or other nodes may have declared its tasks lost.
   */
  clearAllBut(kept: readonly string[]): Promise<void>;
}
