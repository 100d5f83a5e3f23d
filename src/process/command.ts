import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { execa } from "execa";
import type { Exit } from "../task/exit.ts";
import { exitFromSignal } from "./exit.ts";
import { sweepMarked } from "./kill-by-marker.ts";
import { type LineOf, readLines } from "./lines.ts";
import { taskVariable } from "./scan.ts";
import { tooLarge } from "./too-large.ts";

/** A short program that helps a task: git, ssh-add, ansible-galaxy. (The task's own is started by `startProcess`.) */
export interface Command {
  /** Looked for in the PATH of `env`. */
  command: string;
  args: readonly string[];
  cwd: string;
  /** The whole environment, but for SIGNALMAN_TASK. */
  env: Readonly<Record<string, string>>;
  /** The task's: whoever sweeps that marker ends this command too. */
  marker: string;
  /** Its input; none: `/dev/null`. */
  stdin?: string;
  /** Ends it when it takes longer. Milliseconds, as below. */
  timeoutMs?: number;
  /** Ends it when it has printed nothing for so long. */
  idleMs?: number;
  /** Ends it, with all that it started. */
  signal: AbortSignal;
  /** Called for each line as it comes, without its `\n` or `\r`; very long ones come in pieces. */
  onLine?: LineOf;
  /** Bytes kept of each output, the last ones. Default 1 MiB. */
  maxOutput?: number;
  /** From SIGTERM to SIGKILL. Default 2 s. */
  graceMs?: number;
  /** What it leaves running is ended, unless it is known to leave nothing: looking costs 10 ms. */
  leftovers?: "ended" | "spared";
}

export interface CommandResult {
  /** Any exit is a value. */
  exit: Exit;
  /** UTF-8; what is none is replaced. */
  stdout: string;
  stderr: string;
  /** More came than is kept: the beginning is missing. */
  isCut: boolean;
}

/** There is no such program or folder, or the system has no room for another process. */
export class CannotStart extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "CannotStart";
  }
}

/** It took longer than `timeoutMs` ("total"), or was silent for `idleMs`; it has been ended. */
export class TimedOut extends Error {
  readonly limit: "total" | "idle";
  constructor(command: string, limit: "total" | "idle", ms: number) {
    super(`${command} ${limit === "total" ? "took longer than" : "said nothing for"} ${ms / 1000} s`);
    this.name = "TimedOut";
    this.limit = limit;
  }
}

// For whoever still holds the output of a program that has ended.
const LINGER_MS = 500;
const READ_OUT_MS = 200;

/**
 * Runs it to its end.
 * @throws CannotStart; TimedOut; the signal's reason. In the latter two cases nothing of it is alive any more.
 */
export async function runCommand(options: Command): Promise<CommandResult> {
  const { command, args, cwd, env, stdin, graceMs = 2000, maxOutput = 1024 * 1024 } = options;
  using limits = createLimits(options);
  limits.signal.throwIfAborted();
  // One of its own below the task's, so that its end is no other command's.
  const marker = `${options.marker}/${randomUUID()}`;
  const child = execa(command, args, {
    cwd,
    env: { ...env, [taskVariable]: marker },
    extendEnv: false,
    ...(stdin === undefined ? { stdin: "ignore" } : { input: stdin }),
    buffer: false,
    encoding: "buffer",
    reject: false,
    killDescendants: true,
    forceKillAfterDelay: graceMs,
    cancelSignal: limits.signal,
  });
  const outputs = [child.stdout, child.stderr].map((stream, at) =>
    readLines(stream, {
      keep: maxOutput,
      onBytes: limits.heard,
      onLine: (line) => options.onLine?.(line, at === 0 ? "stdout" : "stderr"),
    }),
  );
  using holders = endHolders(child, marker, limits.signal);
  const result = await child;
  await holders.ended();
  const { exitCode, signalCode } = child.nodeChildProcess;
  const wasStarted = child.pid !== undefined;
  if (wasStarted && (limits.signal.aborted || options.leftovers !== "spared")) await sweepMarked(marker);
  limits.signal.throwIfAborted();
  if (!wasStarted) throw cannotStart(options, result.cause);
  const [stdout, stderr] = outputs.map((output) => output.end()) as [string, string];
  const exit: Exit = signalCode ? exitFromSignal(signalCode) : { kind: "code", code: exitCode ?? 0 };
  return { exit, stdout, stderr, isCut: outputs.some((output) => output.isCut()) };
}

/** The caller's signal, and the time-outs. */
function createLimits({ command, timeoutMs, idleMs, signal }: Command) {
  const over = new AbortController();
  const startTimer = (limit: "total" | "idle", ms: number | undefined) =>
    ms === undefined ? undefined : setTimeout(() => over.abort(new TimedOut(command, limit, ms)), ms);
  const timers = [startTimer("total", timeoutMs), startTimer("idle", idleMs)];
  return {
    signal: AbortSignal.any([signal, over.signal]),
    heard: () => void timers[1]?.refresh(),
    [Symbol.dispose]: () => timers.forEach((timer) => void clearTimeout(timer)),
  };
}

/**
 * A program's output ends with the last process that holds it. Once the program itself has ended the others have
 * 500 ms, none after a stop; then they are killed. Who cannot be killed (sudo) is not waited for.
 */
function endHolders(child: ReturnType<typeof execa>, marker: string, stop: AbortSignal) {
  let timer: NodeJS.Timeout | undefined;
  let sweeping: Promise<void> | undefined;
  const letGo = () => [child.stdout, child.stderr].forEach((stream) => void stream?.destroy());
  const sweep = async () => {
    await sweepMarked(marker).catch(() => {}); // a shortage
    timer = setTimeout(letGo, READ_OUT_MS);
  };
  const hurry = () => {
    clearTimeout(timer);
    sweeping ??= sweep();
  };
  child.nodeChildProcess.once("exit", () => {
    if (stop.aborted) return hurry();
    timer = setTimeout(hurry, LINGER_MS);
    stop.addEventListener("abort", hurry, { once: true });
  });
  return {
    ended: async () => {
      clearTimeout(timer);
      await sweeping;
    },
    [Symbol.dispose]() {
      clearTimeout(timer);
      stop.removeEventListener("abort", hurry);
    },
  };
}

// A missing folder is reported as if the program were missing.
function cannotStart({ command, args, cwd, env }: Command, cause: unknown): CannotStart {
  const { code = "", message = String(cause) } = (cause ?? {}) as NodeJS.ErrnoException;
  const reason = !existsSync(cwd)
    ? `there is no folder ${cwd}`
    : code === "ENOENT"
      ? "there is no such program on this server; install it"
      : code === "E2BIG"
        ? tooLarge(args, env)
        : message;
  return new CannotStart(`Cannot start ${command}: ${reason}`, { cause });
}
