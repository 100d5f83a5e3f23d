import type { Logger } from "pino";
import type { TaskRecord } from "./types.ts";

/*
 * The operator's log: one line at info for each step of a task's life, on the server where the step was taken, and one at
 * warn for what had to be retried. Every line carries the task's id: a grep for it tells the task's story.
 */

/** A step, in the words of its line: `task created`, `task put back`, … Each task that ends has one `ended`. */
export type Step =
  | "created"
  | "claimed" // by this server's pool
  | "started" // its program runs
  | "adopted" // its program ran here before the server was started anew
  | "left running" // this server shuts down
  | "put back" // into the queue: nothing of it was started
  | "waiting for confirmation"
  | "confirmed"
  | "rejected"
  | "resumed" // to apply its plan
  | "kill requested"
  | "lost" // its server has been away for too long
  | "taken away" // another server has its lease now
  | "ended"
  | "deleted";

export type NamedTask = Pick<TaskRecord, "id" | "project" | "template">;

/** What is known of a step besides its task. Times are milliseconds. */
export interface StepFields {
  /** Name of the caller, and the id of the call. */
  by?: string;
  requestId?: string;
  /** The build whose success made it. */
  buildTask?: string;
  /** From its creation to the claim. */
  waitedMs?: number;
  /** From the claim to the start of its program. */
  preparedMs?: number;
  /** From the start of its program, and from its creation. */
  ranMs?: number;
  totalMs?: number;
  plan?: { add: number; change: number; destroy: number };
  status?: string;
  outcome?: string;
  reason?: string | null;
  exitCode?: number | null;
  signal?: string | null;
  force?: boolean;
  /** The server that has been away. */
  lostNode?: string | null;
}

/** Something that was tried until it was done, or given up. */
export interface Retried {
  taskId: string;
  what: string;
  tries: number;
  ms: number;
  /** Of the last try that failed. */
  error: unknown;
}

export interface OperatorLog {
  step(step: Step, task: NamedTask, fields?: StepFields): void;
  retried(retried: Retried): void;
}

/** `node`: the id of this server. */
export function createOperatorLog(logger: Logger, node: string): OperatorLog {
  return {
    step(step, { id, project, template }, fields) {
      const name = `projects/${project}/templates/${template}`;
      logger.info({ task: id, template: name, node, ...fields }, `task ${step}`);
    },
    retried({ taskId, what, tries, ms, error }) {
      logger.warn({ task: taskId, node, what, tries, ms, err: error }, "task retried");
    },
  };
}

/** Milliseconds from a moment of the database's clock until now, by this server's. */
export const msSince = (moment: Date): number => Math.max(0, Date.now() - moment.getTime());
