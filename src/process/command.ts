import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { execa } from "execa";
import type { Exit } from "../task/exit.ts";
import { exitFromSignal, exitFromStatus } from "./exit.ts";
import type { Enclosure } from "./isolation/enclosure.ts";
import { askInhabitants, endNamespace } from "./isolation/end-namespace.ts";
import { createNamespace, killNamespace } from "./isolation/namespace.ts";
import { sweepMarked } from "./kill-by-marker.ts";
import { type LineOf, readLines } from "./lines.ts";
import { taskVariable } from "./scan.ts";
import { tooLarge } from "./too-large.ts";

/**
 * A short helper program of a task: git, ssh-add, ansible-galaxy. The task's own program is started by
 * `startProcess`.
 */
export interface Command {
  /** Program, looked up in the PATH of `env`. */
  command: string;
  args: readonly string[];
  cwd: string;
  /** Complete environment, except SIGNALMAN_TASK. */
  env: Readonly<Record<string, string>>;
  /** The task's marker. A sweep of this marker ends the command too. */
  marker: string;
  /** Text for its stdin. Default: `/dev/null`. */
  stdin?: string;
  /** Longest run time in milliseconds; the command is ended after it. Default: no limit. */
  timeoutMs?: number;
  /** Longest time without output in milliseconds; the command is ended after it. Default: no limit. */
  idleMs?: number;
  /** Ends the command and every process that it has started. */
  signal: AbortSignal;
  /** Called with each line as it arrives, without its `\n` or `\r`. Lines above 16 Ki characters arrive in pieces. */
  onLine?: LineOf;
  /** Bytes that are kept of each output, counted from its end. Default: 1 MiB. */
  maxOutput?: number;
  /** Milliseconds between SIGTERM and SIGKILL. Default: 2000. */
  graceMs?: number;
  /**
   * `ended` (default): processes that the command leaves running are ended. `spared`: they are not looked for, since
   * that takes 10 ms; for commands that are known to leave none.
   */
  leftovers?: "ended" | "spared";
  /** How it is separated from the service. Default: it is not. */
  enclosure?: Enclosure | undefined;
}

export interface CommandResult {
  /** How the command ended. A failure is a value, not an error. */
  exit: Exit;
  /** Output as UTF-8; invalid bytes are replaced. */
  stdout: string;
  stderr: string;
  /** Whether the beginning of an output is missing, because it was larger than `maxOutput`. */
  isCut: boolean;
}

/** The program or its working directory does not exist, or the system cannot fork another process. */
export class CannotStartError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "CannotStartError";
  }
}

/** The command took longer than `timeoutMs` ("total") or printed nothing for `idleMs` ("idle"), and has been ended. */
export class TimedOutError extends Error {
  readonly limit: "total" | "idle";
  constructor(command: string, limit: "total" | "idle", ms: number) {
    super(`${command} ${limit === "total" ? "took longer than" : "printed nothing for"} ${ms / 1000} s`);
    this.name = "TimedOutError";
    this.limit = limit;
  }
}

// Milliseconds for processes that hold the output of a program that has ended; after their end, for reading the rest.
const LINGER_MS = 500;
const READ_OUT_MS = 200;

/**
 * Runs a command to its end.
 * @throws CannotStartError; TimedOutError; the signal's reason. After the latter two no process of the command is alive.
 */
export async function runCommand(options: Command): Promise<CommandResult> {
  const { cwd, env, stdin, graceMs = 2000, maxOutput = 1024 * 1024, enclosure } = options;
  using limits = createLimits(options);
  limits.signal.throwIfAborted();
  // A marker below the task's, so that ending this command spares the task's other commands.
  const marker = `${options.marker}/${randomUUID()}`;
  const [command = "", ...args] = [...(enclosure?.words(REPORT_FD) ?? []), options.command, ...options.args];
  const child = execa(command, args, {
    cwd,
    env: { ...env, [taskVariable]: marker },
    extendEnv: false,
    stdio: [
      stdin === undefined ? "ignore" : "pipe",
      "pipe",
      "pipe",
      ...(enclosure?.hasNamespace ? ["pipe" as const] : []),
    ],
    ...(stdin === undefined ? {} : { input: stdin }),
    buffer: false,
    encoding: "buffer",
    reject: false,
    killDescendants: true,
    forceKillAfterDelay: graceMs,
    ...(enclosure?.hasNamespace ? {} : { cancelSignal: limits.signal }),
  });
  using namespace = enclosure?.hasNamespace ? followNamespace(child, limits.signal, graceMs) : undefined;
  const sweep = () => (namespace ? endNamespace(namespace.it, marker) : sweepMarked(marker));
  const outputs = [child.stdout, child.stderr].map((stream, at) =>
    readLines(stream, {
      keep: maxOutput,
      onBytes: limits.restartIdle,
      onLine: (line) => options.onLine?.(line, at === 0 ? "stdout" : "stderr"),
    }),
  );
  using holders = endHolders(child, sweep, limits.signal);
  const result = await child;
  await holders.ended();
  const { exitCode, signalCode } = child.nodeChildProcess;
  const wasStarted = child.pid !== undefined;
  if (wasStarted && (limits.signal.aborted || options.leftovers !== "spared")) await sweep();
  limits.signal.throwIfAborted();
  if (!wasStarted) throw cannotStart({ ...options, command, args }, result.cause);
  const [stdout, stderr] = outputs.map((output) => output.end()) as [string, string];
  if (enclosure && NOT_FOUND.test(stderr)) throw cannotStart(options, { code: "ENOENT" });
  const exit = signalCode ? exitFromSignal(signalCode) : exitOf(exitCode ?? 0, namespace !== undefined);
  return { exit, stdout, stderr, isCut: outputs.some((output) => output.isCut()) };
}

/** Combines the caller's signal with the time-outs; `restartIdle` is called for all output. */
function createLimits({ command, timeoutMs, idleMs, signal }: Command) {
  const over = new AbortController();
  const startTimer = (limit: "total" | "idle", ms: number | undefined) =>
    ms === undefined ? undefined : setTimeout(() => over.abort(new TimedOutError(command, limit, ms)), ms);
  const timers = [startTimer("total", timeoutMs), startTimer("idle", idleMs)];
  return {
    signal: AbortSignal.any([signal, over.signal]),
    restartIdle: () => void timers[1]?.refresh(),
    [Symbol.dispose]: () => timers.forEach((timer) => void clearTimeout(timer)),
  };
}

/**
 * Ends processes that hold the output of a program that has ended, since the output ends with the last of them. They
 * have 500 ms, or none after a stop, before they are killed. Processes that the server may not kill (sudo) are not
 * waited for.
 */
function endHolders(child: ReturnType<typeof execa>, end: () => Promise<void>, stop: AbortSignal) {
  let timer: NodeJS.Timeout | undefined;
  let sweeping: Promise<void> | undefined;
  const letGo = () => [child.stdout, child.stderr].forEach((stream) => void stream?.destroy());
  const sweep = async () => {
    await end().catch(() => {}); // no descriptors or memory
    timer = setTimeout(letGo, READ_OUT_MS);
  };
  const sweepNow = () => {
    clearTimeout(timer);
    sweeping ??= sweep();
  };
  child.nodeChildProcess.once("exit", () => {
    if (stop.aborted) return sweepNow();
    timer = setTimeout(sweepNow, LINGER_MS);
    stop.addEventListener("abort", sweepNow, { once: true });
  });
  return {
    ended: async () => {
      clearTimeout(timer);
      await sweeping;
    },
    [Symbol.dispose]() {
      clearTimeout(timer);
      stop.removeEventListener("abort", sweepNow);
    },
  };
}

/** Returns the exit for a code. The command that makes namespaces reports a program's signal as a shell does, by 128 + n. */
const exitOf = (code: number, isReported: boolean): Exit =>
  isReported ? exitFromStatus(code) : { kind: "code", code };

/** Descriptor to which an enclosure reports its namespaces. */
const REPORT_FD = 3;
/** Message of an enclosure whose program does not exist. */
const NOT_FOUND =
  /^(bwrap: execvp|enter: execvp|setpriv: failed to execute) .*: No such file or directory\n$/;

/**
 * Follows the namespaces of a command, and ends them when `stop` aborts: SIGTERM to its processes, SIGKILL after `graceMs`. The
 * command that makes namespaces would end at SIGTERM, and the program with it.
 */
function followNamespace(child: ReturnType<typeof execa>, stop: AbortSignal, graceMs: number) {
  let report = "";
  child.stdio[REPORT_FD]?.on("data", (bytes: Buffer) => {
    report += bytes.toString("latin1");
  });
  const it = createNamespace(() => (report.endsWith("}\n") ? report : ""));
  let timer: NodeJS.Timeout | undefined;
  const end = () => {
    if (!it.init()) return void child.kill("SIGKILL");
    timer = setTimeout(() => killNamespace(it), graceMs);
    askInhabitants(it).catch(() => killNamespace(it)); // no descriptors or memory
  };
  if (stop.aborted) end();
  else stop.addEventListener("abort", end, { once: true });
  return {
    it,
    [Symbol.dispose]() {
      clearTimeout(timer);
      stop.removeEventListener("abort", end);
    },
  };
}

// Node reports a missing working directory as if the program were missing.
function cannotStart({ command, args, cwd, env }: Command, cause: unknown): CannotStartError {
  const { code = "", message = String(cause) } = (cause ?? {}) as NodeJS.ErrnoException;
  const reason = !existsSync(cwd)
    ? `there is no folder ${cwd}`
    : code === "ENOENT"
      ? "there is no such program on this server; install it"
      : code === "E2BIG"
        ? tooLarge(args, env)
        : message;
  return new CannotStartError(`Cannot start ${command}: ${reason}`, { cause });
}
