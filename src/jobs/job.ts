import type { JsonObject } from "@bufbuild/protobuf";
import type { ProgramStream, StreamOffsets } from "../logs/types.ts";
import type { Exit } from "../task/exit.ts";
import type { Plan } from "../task/types.ts";

/*
 * The contract between the runner and an executor. The runner owns a task's life: status, log, hooks, kill requests, time
 * limits. The executor owns the task's program, on this machine, in a container or on a remote machine: no path, pid or boot
 * id passes through this interface.
 *
 * An executor (executor.ts) makes one `Job` for each task. The runner calls `prepare`, then `start`, and stores the job's
 * `handle` before `start`. After a restart it makes a new job with that handle and calls `attach`, which returns the running
 * program, "lost", or undefined if none was ever started. The `Program` outlives the server: its output is read from the last
 * committed offsets on, so no output is lost or stored twice. A plan that has to be confirmed is parked and continued by
 * `prepareApply` and `start`. `cleanup` runs whatever happened before, and `forget` last, once the end is recorded.
 *
 * Guarantees: `ended` resolves only when no process of the task is alive and all output can be read. Files that `forget`
 * cannot remove are left to the executor's `Leftovers`, which the pool clears regularly.
 */

/** The commit that was checked out; empty strings for a folder that is not a git repository. */
export interface Commit {
  hash: string;
  message: string;
}

/** A plan and its readable text, secrets included. */
export interface FoundPlan {
  plan: Plan;
  text: string;
}

/** A short script that runs before or after a task's program, such as a hook. */
export interface SideScript {
  /** A shell-like app of the server. */
  app: string;
  text: string;
  /** Variables that override the environment of the task's shell-like apps. */
  env: Readonly<Record<string, string>>;
  /** Called with each line of its output as it arrives. */
  onLine(line: string): void;
}

/** Bytes of one stream. `bytes` is valid until the next `Output` is requested; `offset` is that of its first byte. */
export interface Output {
  stream: ProgramStream;
  bytes: Buffer;
  offset: number;
}

/** How a program ended. */
export interface ProgramEnd {
  exit: Exit;
  /** Part of the output could not be written, because a disk was full. */
  isOutputMissing: boolean;
}

/** A task's program, alive or ended. It outlives the server that started it. */
export interface Program {
  /**
   * Reads the program's output from these offsets on, which are the last committed ones. Ends when the program has ended and
   * all was read, or when `signal` aborts. Output that is not requested stays in the spool; a program that writes faster than
   * it is read is held back. May be called once.
   * @throws Error if the output can no longer be read.
   */
  output(from: Readonly<StreamOffsets>, signal: AbortSignal): AsyncIterable<Output>;
  /** Says that output before these offsets is stored and will not be read again: its space may be freed. Called often. */
  committed(offsets: Readonly<StreamOffsets>): void;
  /** Returns how many bytes of output have not been read yet; while there are any, the program does not count as idle. */
  unread(): number;
  /** Whether the program itself is known to have ended; its child processes may be alive and its output unread. */
  hasExited(): boolean;
  /**
   * Resolves when the program has ended, no process that it started is alive, and all of its output can be read. Rejects if
   * that can no longer be found out. Never settles after `release`.
   */
  readonly ended: Promise<ProgramEnd>;
  /**
   * Asks the program to end and, after the grace period of `graceMs`, kills it with all processes that it started. A later
   * call may only shorten the grace period.
   */
  kill(options: { graceMs: number }): void;
  /** Stops supervising the program and lets it run on, for the next server to attach to. */
  release(): void;
}

/**
 * One task's program, from its preparation to its removal. The runner calls `prepare` and `start` (or `attach`, on a server
 * that takes the task over), and always `cleanup`, whatever happened before.
 */
export interface Job<Input> {
  /** Identifies where the program runs: stored with the task before `start`, and given to the job that will attach to it. */
  readonly handle: string;
  /**
   * Fills the workspace and prepares the program. An aborted `signal` stops it as soon as its processes have been killed.
   * @throws PrepareError that says what could not be done; the signal's reason.
   */
  prepare(input: Input, signal: AbortSignal): Promise<Commit>;
  /** Starts the prepared program. @throws PrepareError if it cannot be started. */
  start(): Promise<Program>;
  /**
   * Takes over the program that an earlier server started. "lost": a program was started, and how it ended cannot be known.
   * undefined: no program was started and none will be, so that it is safe to start one.
   */
  attach(): Promise<Program | "lost" | undefined>;
  /** Reads the last bytes, at most `most`, that the program wrote to stderr. To be called once the program has ended. */
  lastErrors(most: number): Promise<Buffer>;
  /** Reads the plan that the program, which has succeeded, left to be confirmed; undefined: there is none. */
  waitingPlan(): Promise<FoundPlan | undefined>;
  /** Removes keys and files with secrets while a plan waits to be confirmed; the plan and the workspace stay. */
  park(): Promise<void>;
  /** Removes the program's raw output, in which secrets are not masked, once the waiting plan is recorded. Never rejects. */
  dropOutput(): Promise<void>;
  /**
   * Prepares the program that applies a confirmed plan in the existing workspace. Called in place of `prepare`.
   * @throws PrepareError if the plan can no longer be applied
   */
  prepareApply(input: Input, plan: Plan): Promise<void>;
  /**
   * Reads the program's result as the proto3 JSON of a TaskResult; undefined: it reports none. `mask` replaces secrets in a
   * text. Never rejects.
   */
  result(hasSucceeded: boolean, mask: (text: string) => string): Promise<JsonObject | undefined>;
  /**
   * Runs a script in the workspace, which is made empty if there is none yet. When it rejects, no process of the script is
   * alive any more.
   * @throws PrepareError if the script cannot be started; the signal's reason.
   */
  runScript(script: SideScript, task: { input: Input; commit: Commit }, signal: AbortSignal): Promise<Exit>;
  /** Stores bytes of the runner with the task until `forget`, in place of earlier ones. To be called after `prepare`. */
  keep(bytes: Buffer): Promise<void>;
  /** Reads the bytes that `keep` stored, on this or an earlier server; undefined: there are none. */
  kept(): Promise<Buffer | undefined>;
  /** Kills processes that the preparation left, and removes the workspace and all secrets. Never rejects. */
  cleanup(): Promise<void>;
  /** Removes the rest, output included. To be called once the task's end is recorded. Never rejects. */
  forget(): Promise<void>;
  /**
   * Gives up a task that another node has claimed, in place of `cleanup` and `forget`. A program that the other node can reach
   * runs on; otherwise it is killed and everything is removed. Never rejects.
   */
  abandon(): Promise<void>;
}
