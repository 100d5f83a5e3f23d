import type { JsonObject } from "@bufbuild/protobuf";
import type { Executors } from "../jobs/executor.ts";
import type { Commit, Job } from "../jobs/job.ts";
import type { AccessKey } from "../keys/access-key.ts";
import type { Cipher } from "../keys/cipher.ts";
import type { StreamOffsets, TaskLog } from "../logs/types.ts";
import type { StoredChunk } from "../store/logs/logs.ts";
import type { RunRows } from "../store/tasks/details.ts";
import type { Ending, Lease, Moved } from "../store/tasks/moves.ts";
import type { StoredPlan } from "../store/tasks/plans.ts";
import type { Autorun } from "../store/tasks/versions.ts";
import type { OperatorLog } from "../task/operator-log.ts";
import type { Status } from "../task/status.ts";
import type { TaskOutcome, TaskRecord } from "../task/types.ts";
import type { RunControl } from "./control.ts";
import type { TaskDetails } from "./details.ts";
import type { Hook, HookContext } from "./hooks.ts";
import type { Listeners, RunLogOptions } from "./logging.ts";

/** What a run needs of the store. Every call tries until it is done, or throws LeaseLost or the shutdown's reason. */
export interface RunStore {
  load(lease: Lease): Promise<RunRows>;
  storeChunks: RunLogOptions["storeChunks"];
  recordCommit(lease: Lease, commit: Commit): Promise<void>;
  /** `handle`: what finds the program again. False: somebody asked for the task's end meanwhile. */
  markRunning(task: TaskRecord, handle: string): Promise<boolean>;
  /** The proto3 JSON of a TaskResult, in place of an earlier one. */
  storeResult(lease: Lease, result: JsonObject): Promise<void>;
  loadAutoruns(task: TaskRecord): Promise<Autorun[]>;
  finish(
    lease: Lease,
    outcome: TaskOutcome,
    ending: Ending,
  ): Promise<{ moved: boolean; followers: string[] }>;
  /** False: somebody asked for its end meanwhile. */
  park(task: TaskRecord, plan: StoredPlan, last: StoredChunk | undefined): Promise<boolean>;
  /** One try. Undefined: it failed, or somebody was faster. */
  release(lease: Lease): Promise<Moved | undefined>;
  /** Gives a task back whose program was not started; `why`: for people. False: somebody asked for its end meanwhile. */
  putBack(lease: Lease, why: string): Promise<boolean>;
}

export interface RunnerDeps {
  store: RunStore;
  cipher: Pick<Cipher, "seal" | "open">;
  hooks: readonly Hook[];
  listeners: Listeners;
  operatorLog: Pick<OperatorLog, "step">;
  executors: Executors<TaskDetails>;
  /** Why a failure is this server's own and not the task's, in words; undefined: the task is at fault. */
  faultBehind(error: unknown, taskId: string): Promise<string | undefined>;
  /** Hears of failures that are ours, not the task's. */
  onDefect(taskId: string, error: unknown): void;
}

/** One run of one task, on this server. */
export interface TaskRun {
  task: TaskRecord;
  rows: RunRows["rows"];
  from: StreamOffsets;
  runRemainingMs: number | null;
  job: Job<TaskDetails>;
  log: TaskLog;
  /** Values that nobody may see, and the access keys among them by their full names: once they are opened. */
  secrets: string[];
  keys: ReadonlyMap<string, AccessKey>;
  /** They are opened: before, nothing that the program told may be stored. */
  canMask: boolean;
  /** Undefined as long as they are not known, or if they cannot be had. */
  details: TaskDetails | undefined;
  commit: Commit;
  /** In their order before the task. */
  hooks: readonly Hook[];
  control: RunControl;
  shutdown: AbortSignal;
  /** Not STARTING any more: RUNNING is committed, or may be, and a program may exist; or there is a plan to apply. */
  mayRun: boolean;
  /** When this run began. */
  began: Date;
  /** When its program did; null: it has not. */
  started: Date | null;
}

export function contextOf({ task, log, job, commit }: TaskRun): HookContext {
  return {
    taskId: task.id,
    app: task.app,
    commit,
    say: (text) => log.say(text),
    lastErrors: () => job.lastErrors(ERRORS_BYTES),
    runScript: (script, details, signal) => job.runScript(script, { input: details, commit }, signal),
  };
}

/** Bytes of what a program wrote last that hooks may look into. */
const ERRORS_BYTES = 16 * 1024;

export function announce(deps: RunnerDeps, taskId: string, status: Status): void {
  for (const listener of deps.listeners.status) listener(taskId, status);
}
