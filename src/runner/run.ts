import type { JsonObject } from "@bufbuild/protobuf";
import type { Executors } from "../jobs/executors/executor.ts";
import type { Commit, Job } from "../jobs/job.ts";
import type { AccessKey } from "../keys/access-key.ts";
import type { Cipher } from "../keys/cipher.ts";
import type { StreamOffsets, TaskLog } from "../logs/types.ts";
import type { StoredChunk } from "../store/logs/logs.ts";
import type { RunRows } from "../store/tasks/details.ts";
import type { StoredPlan } from "../store/tasks/plans.ts";
import type { ChangedTask, Ending, Lease } from "../store/tasks/transitions.ts";
import type { PermittedAutorun } from "../submission/autorun.ts";
import type { Status } from "../task/status.ts";
import type { TaskOutcome, TaskRecord } from "../task/types.ts";
import type { OperatorLog } from "../telemetry/operator-log.ts";
import type { RunControl } from "./control.ts";
import type { TaskDetails } from "./details.ts";
import type { CallPolicy } from "./hooks/call-policy.ts";
import type { Hook, HookContext } from "./hooks.ts";
import type { Listeners, RunLogOptions } from "./logging.ts";

/**
 * Writes and reads of a run. Each call is retried while the database is away.
 * @throws LeaseLostError if the lease has ended; the shutdown's reason if the server shuts down.
 */
export interface RunStore {
  load(lease: Lease): Promise<RunRows>;
  storeChunks: RunLogOptions["storeChunks"];
  recordCommit(lease: Lease, commit: Commit): Promise<void>;
  /**
   * `handle`: the executor's handle for finding the program again. Resolves to false if the task was killed meanwhile.
   */
  markRunning(task: TaskRecord, handle: string): Promise<boolean>;
  /** Stores a TaskResult as proto3 JSON; replaces an earlier one. */
  storeResult(lease: Lease, result: JsonObject): Promise<void>;
  loadAutoruns(task: TaskRecord): Promise<PermittedAutorun[]>;
  finish(
    lease: Lease,
    outcome: TaskOutcome,
    ending: Ending,
  ): Promise<{ applied: boolean; followers: string[] }>;
  /** Resolves to false if the task was killed meanwhile. */
  park(task: TaskRecord, plan: StoredPlan, last: StoredChunk | undefined): Promise<boolean>;
  /** Returns a task to the queue, in one try. Undefined: it failed, or the lease had ended. */
  release(lease: Lease): Promise<ChangedTask | undefined>;
  /**
   * Returns a task whose program was not started to the queue. `why` is shown to users. Resolves to false if the task
   * was killed meanwhile.
   */
  putBack(lease: Lease, why: string): Promise<boolean>;
}

export interface RunnerDeps {
  store: RunStore;
  cipher: Pick<Cipher, "seal" | "open">;
  hooks: readonly Hook[];
  /** Decides which addresses registered hooks may call. */
  mayCall: CallPolicy;
  listeners: Listeners;
  operatorLog: Pick<OperatorLog, "step">;
  executors: Executors<TaskDetails>;
  /**
   * Ends the programs of those of the tasks that are LOST, and stores the output that their logs lack. Resolves to false if the
   * server shuts down: the next one does it. A task whose output cannot be read or masked gets no late lines; the log says why.
   */
  keepLateLines(ids: readonly string[]): Promise<boolean>;
  /** Resolves to the cause if this server is at fault for a failure, such as a full disk; undefined: the task is. */
  faultBehind(error: unknown, taskId: string): Promise<string | undefined>;
  /** Called with an error that is a defect of Signalman and not a fault of the task. */
  onDefect(taskId: string, error: unknown): void;
}

/** One run of one task, on this server. */
export interface TaskRun {
  task: TaskRecord;
  rows: RunRows["rows"];
  /** Raw bytes of each stream that are in the log already. */
  from: StreamOffsets;
  /**
   * Milliseconds until the run time limit of a program that runs already; null: it has not been started, or has no
   * limit.
   */
  runRemainingMs: number | null;
  job: Job<TaskDetails>;
  log: TaskLog;
  /** Values to mask; empty until the secrets have been decrypted. */
  secrets: string[];
  /** Decrypted access keys by their full names; empty until then. */
  keys: ReadonlyMap<string, AccessKey>;
  /** Whether the secrets have been decrypted. Until then no output and no result may be stored. */
  canMask: boolean;
  /** Undefined: not loaded yet, or they cannot be loaded. */
  details: TaskDetails | undefined;
  commit: Commit;
  /** Hooks in the order in which they run before the task. */
  hooks: readonly Hook[];
  control: RunControl;
  shutdown: AbortSignal;
  /**
   * Whether a program may exist, because RUNNING was committed or may have been, or a confirmed plan is to be applied.
   */
  mayRun: boolean;
  /** Time when this run began. */
  began: Date;
  /** Time when the program was started; null: it has not been. */
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

/** Number of the last bytes of stderr that hooks may read. */
const ERRORS_BYTES = 16 * 1024;

export function announce(deps: RunnerDeps, taskId: string, status: Status): void {
  for (const listener of deps.listeners.status) listener(taskId, status);
}
