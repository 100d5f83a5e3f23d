/*
 * Points at which tests of faults kill, delay or fail a server: `await failpoint("after-claim")`. In this program the
 * function is empty. The build of the fault suite replaces this module by test/faults/suite/armed-failpoint.ts, so no
 * setting and no caller of a real server can reach a fault.
 */

/** All points by name, each with what is done and what is not yet done there. */
export const FAILPOINTS = {
  "before-submit-commit": "the rows of a new task are sent, in a transaction that is still open",
  "after-submit": "a new task is committed; its caller has no response yet",
  "before-claim-commit": "tasks are STARTING, in a transaction that is still open",
  "after-claim": "a claim is committed; no run of the tasks has begun",
  "before-running": "a task is prepared; RUNNING is not committed",
  "before-spawn": "RUNNING is committed; the journal has no attempt",
  "after-attempt": "the journal has an attempt; no wrapper was started",
  "after-spawn": "the wrapper was started; the server does not read its output yet",
  "before-log-commit": "chunks of output are about to be stored",
  "after-log-commit": "chunks are committed; no watcher was told, and the spool still holds their bytes",
  "before-cleanup": "the program has ended; its leftovers and its workspace are there",
  "before-finish": "the workspace is gone; the end is not stored",
  "before-finish-commit": "the last chunk and the end are sent, in a transaction that is still open",
  "after-finish": "the end is committed; no watcher was told, and the task's folder is there",
  "before-forget": "the end was announced; the task's folder is there",
  "before-kill-commit": "a kill request is sent, in a transaction that is still open",
  "after-kill": "a kill request is committed; its caller has no response, and the task's server was not told",
  "before-renew": "leases are about to be renewed",
  "after-adopt": "a starting server has taken over its tasks; no run of them has begun",
  "before-put-back": "tasks of servers that are gone are about to go back to the queue",
  "before-event-position": "events are about to get positions, under the lock of all servers",
  "after-event-position": "events have positions, in a transaction that is still open",
  "before-notify": "a notification is about to be sent",
  "between-watch-reads": "a watch has read the statuses of its task; the lines before them are not read",
} as const;

export type Failpoint = keyof typeof FAILPOINTS;

/** Does nothing. In the fault suite: may end the process, resolve later, or reject. */
export function failpoint(_point: Failpoint): Promise<void> | undefined {
  return undefined;
}
