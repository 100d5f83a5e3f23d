import type { JsonObject } from "@bufbuild/protobuf";
import type { CommandResult } from "../process/command.ts";
import type { RunningProcess } from "../process/process.ts";
import type { Plan } from "../task/types.ts";

/** What was checked out; empty strings for a folder that is not a git repository. */
export interface Commit {
  hash: string;
  message: string;
}

/** A plan, and what people read of it, secrets included. */
export interface FoundPlan {
  plan: Plan;
  text: string;
}

/** A short script that does something beside the task, such as a hook. */
export interface SideScript {
  /** A shell-like app of the server. */
  app: string;
  text: string;
  /** Over the environment of the task's shell-like apps. */
  env: Readonly<Record<string, string>>;
  /** Each line of its output as it comes. */
  onLine(line: string): void;
}

/**
 * The work of one task, as its runner sees it. In this order: prepare, start (or attach, on a server that takes the
 * task over), and cleanup, always, whatever happened before.
 */
export interface Job<Input> {
  /**
   * Makes workspace and program ready; stopped by `signal` within the time that a process needs to die.
   * @throws PrepareError that says what could not be done; the signal's reason.
   */
  prepare(input: Input, signal: AbortSignal): Promise<Commit>;
  /** @throws PrepareError if the program cannot be started. */
  start(): Promise<RunningProcess>;
  /** The program that an earlier server started; undefined: it never did. */
  attach(): Promise<RunningProcess | undefined>;
  /** What the program, which has ended well, wants to have confirmed; undefined: nothing. */
  waitingPlan(): Promise<FoundPlan | undefined>;
  /** Removes keys and files with secrets while a plan waits; it stays itself, and so does the workspace. */
  park(): Promise<void>;
  /**
   * In place of `prepare`, for a plan that was confirmed: the program that applies it, in the workspace that is there.
   * @throws PrepareError
   */
  prepareApply(input: Input, plan: Plan): Promise<void>;
  /**
   * What the program brought about: the proto3 JSON of a TaskResult; undefined: it tells nothing. `mask` hides what nobody
   * may see. Never rejects.
   */
  result(hasSucceeded: boolean, mask: (text: string) => string): Promise<JsonObject | undefined>;
  /**
   * Runs a script in the workspace, or in a folder of its own while there is none.
   * @throws PrepareError if it cannot be started; the signal's reason. Nothing of it is alive any more then.
   */
  runScript(
    script: SideScript,
    task: { input: Input; commit: Commit },
    signal: AbortSignal,
  ): Promise<CommandResult["exit"]>;
  /** Keeps bytes on this machine, in place of earlier ones, until the task is forgotten; once it was prepared. */
  keep(bytes: Buffer): Promise<void>;
  /** What was kept, also by an earlier server; undefined: nothing. */
  kept(): Promise<Buffer | undefined>;
  /** Removes the workspace and everything secret, and kills what preparation left behind. Never rejects. */
  cleanup(): Promise<void>;
  /** Removes all that is left on this machine, the spool too: once the end is recorded. Never rejects. */
  forget(): Promise<void>;
  /** Where the program's output is spooled. */
  readonly spool: string;
}
