/**
 * The statuses of a task, each with the statuses that may follow it. SQL, contract and tests read this table. The names are
 * those of Semaphore UI; on the wire they have the prefix TASK_STATUS_.
 */
export const TRANSITIONS = {
  WAITING: ["STARTING", "STOPPED", "ERROR"],
  STARTING: ["RUNNING", "STOPPING", "ERROR", "WAITING"],
  RUNNING: ["WAITING_CONFIRMATION", "STOPPING", "SUCCESS", "ERROR", "WAITING"],
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

/** Final statuses, which no other status may follow. */
export const FINAL = STATUSES.filter((s) => reachable[s].length === 0);
/** Statuses in which a node owns the task under a lease. */
export const OWNED: readonly Status[] = ["STARTING", "RUNNING", "CONFIRMED", "REJECTED", "STOPPING"];
/** Statuses in which the task counts against the limits of its template and its project. */
export const ACTIVE: readonly Status[] = [...OWNED, "WAITING_CONFIRMATION"];

/** Returns the statuses that `to` may follow. */
export function sourcesOf(to: Status): Status[] {
  return STATUSES.filter((from) => reachable[from].includes(to));
}

export function isFinal(status: Status): boolean {
  return FINAL.includes(status);
}

/** Reasons why a task is not a success. On the wire they have the prefix END_REASON_. */
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
