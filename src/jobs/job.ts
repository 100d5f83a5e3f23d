import type { JsonObject } from "@bufbuild/protobuf";
import type { ProgramStream, StreamOffsets } from "../logs/types.ts";
import type { Exit } from "../task/exit.ts";
import type { Plan } from "../task/types.ts";

/*
 * What the runner knows of an executor. An executor may run programs on this machine, in a container or on a machine
 * elsewhere: no path, pid or boot id passes through here.
 */

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

/** Bytes of one stream. `bytes` is valid until the next one is asked for; `offset` is that of its first byte. */
export interface Output {
  stream: ProgramStream;
  bytes: Buffer;
  offset: number;
}

/** How a program ended. */
export interface ProgramEnd {
  exit: Exit;
  /** A part of the output could not be kept, because a disk was full. */
  isOutputMissing: boolean;
}

/** A task's program, alive or ended. It outlives this server. */
export interface Program {
  /**
   * Its output from these offsets on, the last committed ones; ends when the program has ended and all was read, or when
   * `signal` aborts. What is not asked for stays where it is, and a program that is too far ahead is held back. Read once.
   * @throws if the output can no longer be read.
   */
  output(from: Readonly<StreamOffsets>, signal: AbortSignal): AsyncIterable<Output>;
  /** What lies before these offsets will not be asked for again, by nobody: it may be freed. Called often. */
  committed(offsets: Readonly<StreamOffsets>): void;
  /** Bytes of output that nobody has asked for yet; while there are any, the program is not silent. */
  unread(): number;
  /** The program itself has ended, as far as that is known now; what it leaves may not be gone, nor its output be read. */
  hasExited(): boolean;
  /**
   * The program has ended, nothing that it started is alive, and all of its output can be read. Never settles after
   * `release`. Rejects if that can no longer be told.
   */
  readonly ended: Promise<ProgramEnd>;
  /** Asks it to end, and kills it with all that it started after `graceMs`; a repeat may only shorten that time. */
  kill(options: { graceMs: number }): void;
  /** Stops watching it and lets it run on, for the next server. */
  release(): void;
}

/**
 * The work of one task, as its runner sees it. In this order: prepare, start (or attach, on a server that takes the
 * task over), and cleanup, always, whatever happened before.
 */
export interface Job<Input> {
  /** What finds the program again: stored with the task before `start`, and given to the job that will attach to it. */
  readonly handle: string;
  /**
   * Makes workspace and program ready; stopped by `signal` within the time that a process needs to die.
   * @throws PrepareError that says what could not be done; the signal's reason.
   */
  prepare(input: Input, signal: AbortSignal): Promise<Commit>;
  /** @throws PrepareError if the program cannot be started. */
  start(): Promise<Program>;
  /**
   * The program that an earlier server started. "lost": there was one, and nobody can tell how it ended. Undefined: there
   * never was one and never will be, so starting it is safe.
   */
  attach(): Promise<Program | "lost" | undefined>;
  /** The last bytes that the program wrote to stderr, at most so many; once it has ended. */
  lastErrors(most: number): Promise<Buffer>;
  /** What the program, which has ended well, wants to have confirmed; undefined: nothing. */
  waitingPlan(): Promise<FoundPlan | undefined>;
  /** Removes keys and files with secrets while a plan waits; it stays itself, and so does the workspace. */
  park(): Promise<void>;
  /** Once the wait is recorded: removes the output of the program, as it was before secrets were masked. Never rejects. */
  dropOutput(): Promise<void>;
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
  runScript(script: SideScript, task: { input: Input; commit: Commit }, signal: AbortSignal): Promise<Exit>;
  /** Keeps bytes with the task, in place of earlier ones, until it is forgotten; once it was prepared. */
  keep(bytes: Buffer): Promise<void>;
  /** What was kept, also by an earlier server; undefined: nothing. */
  kept(): Promise<Buffer | undefined>;
  /** Removes the workspace and everything secret, and kills what preparation left behind. Never rejects. */
  cleanup(): Promise<void>;
  /** Removes all that is left, the output too: once the end is recorded. Never rejects. */
  forget(): Promise<void>;
  /**
   * The task is another node's now. A program that the other node can reach is left to it; else it is killed, and nothing
   * stays. In place of `cleanup` and `forget`. Never rejects.
   */
  abandon(): Promise<void>;
}
