import type { Logger } from "pino";
import type { TaskRecord } from "../task/types.ts";

/*
 * The operator's log has one line at level info for each step of a task's life, on the server that took the step, and
 * one line at level warn for each piece of work that had to be retried. Each line carries the task's id, so that a
 * search for the id finds all of them.
 */

/** A step, as its line names it: `task created`, `task put back`, … Each task that ends has one line `task ended`. */
export type Step =
  | "created"
  | "claimed" // by this server's pool
  | "started" // its program runs
  | "adopted" // its program was started by an earlier server on this data folder
  | "left running" // this server shuts down
  | "put back" // into the queue: its program was not started
  | "waiting for confirmation"
  | "confirmed"
  | "rejected"
  | "resumed" // to apply its plan
  | "kill requested"
  | "abandoned" // by a caller, while its server was away
  | "lost" // its server has been away for too long
  | "taken away" // another server has its lease
  | "ended"
  | "deleted";

export type NamedTask = Pick<TaskRecord, "id" | "project" | "template">;

/** Fields of a step besides its task. Times are milliseconds. */
export interface StepFields {
  /** Name of the caller. */
  by?: string;
  /** Id of the call. */
  requestId?: string;
  /** Id of the build whose success created the task. */
  buildTask?: string;
  /** From its creation to the claim. */
  waitedMs?: number;
  /** From the claim to the start of its program. */
  preparedMs?: number;
  /** From the start of its program. */
  ranMs?: number;
  /** From its creation. */
  totalMs?: number;
  plan?: { add: number; change: number; destroy: number };
  status?: string;
  outcome?: string;
  reason?: string | null;
  exitCode?: number | null;
  signal?: string | null;
  force?: boolean;
  /** Id of the node that has been away for too long. */
  lostNode?: string | null;
}

/** Work that was tried more than once, until it succeeded or was given up. */
export interface Retried {
  taskId: string;
  /** The work as a verb with its object, such as "store its output". */
  what: string;
  /** Number of tries that failed. */
  tries: number;
  /** Milliseconds from the first try to the end. */
  ms: number;
  /** Error of the last try that failed. */
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

/** Returns the milliseconds from a time of the database's clock until now, by this server's clock. At least 0. */
export const msSince = (moment: Date): number => Math.max(0, Date.now() - moment.getTime());
