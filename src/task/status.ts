/**
 * Where a task can stand, and where it can go from there. The one table: the SQL, the contract's enum and the
 * tests read from it. Names are the reference's; the wire prefixes them with TASK_STATUS_.
 */
export const TRANSITIONS = {
  WAITING: ["STARTING", "STOPPED", "ERROR"],
  STARTING: ["RUNNING", "STOPPING", "ERROR", "WAITING"],
  RUNNING: ["WAITING_CONFIRMATION", "STOPPING", "SUCCESS", "ERROR"],
  WAITING_CONFIRMATION: ["CONFIRMED", "REJECTED", "STOPPED", "ERROR"],
  CONFIRMED: ["RUNNING", "STOPPING", "ERROR"],
  REJECTED: ["STOPPING", "ERROR"],
  STOPPING: ["STOPPED", "ERROR"],
  STOPPED: [],
  SUCCESS: [],
  ERROR: [],
} as const satisfies Record<string, readonly string[]>;

export type Status = keyof typeof TRANSITIONS;
export const STATUSES = Object.keys(TRANSITIONS) as Status[];

const reachable: Record<Status, readonly Status[]> = TRANSITIONS;

/** Nothing moves a task out of these. */
export const FINAL = STATUSES.filter((s) => reachable[s].length === 0);
/** A server owns the task, under a lease. */
export const OWNED: readonly Status[] = ["STARTING", "RUNNING", "CONFIRMED", "REJECTED", "STOPPING"];
/** The task holds its template's and its project's place. */
export const ACTIVE: readonly Status[] = [...OWNED, "WAITING_CONFIRMATION"];

/** Statuses from which `to` may be entered. */
export function sourcesOf(to: Status): Status[] {
  return STATUSES.filter((from) => reachable[from].includes(to));
}

export function isFinal(status: Status): boolean {
  return FINAL.includes(status);
}

/** Why a task is not a success. The wire prefixes these with END_REASON_. */
export const END_REASONS = [
  "EXIT_CODE",
  "SIGNAL",
  "QUEUE_TIMEOUT",
  "RUN_TIMEOUT",
  "IDLE_TIMEOUT",
  "CONFIRM_TIMEOUT",
  "REJECTED",
  "PREPARE_FAILED",
  "STOPPED_BY_USER",
  "LOG_LIMIT",
  "LOST",
  "HOOK_FAILED",
] as const;
export type EndReason = (typeof END_REASONS)[number];
