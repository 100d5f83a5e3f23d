import { type ChildProcess, fork } from "node:child_process";
import { getCompileCacheDir } from "node:module";
import { dirname, extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Identity } from "./proc.ts";

/*
 * Starts programs through a separate process, the launcher. A fork copies the page tables of the process that forks,
 * which waits meanwhile: with a server's 200 MB that took 9 ms instead of 1. The launcher holds no state that
 * matters: the programs that it started go on without it, and the next start forks another launcher.
 */

/** Program to start, with its complete environment. It gets its own session; its output goes to /dev/null. */
export interface Command {
  file: string;
  args: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  /** Its argv[0]. Default: `file`. */
  argv0?: string;
  /** Its stdin: the script wrapper.sh. Default: /dev/null. */
  stdin?: "wrapper";
}

/** How a process ended: it exited, a signal killed it, or unknown because the launcher ended first. */
export type End = "exit" | "signal" | "unknown";

export interface Launched extends Identity {
  /** Resolves when the process has ended. Never rejects. */
  ended: Promise<End>;
}

export interface Launcher extends Disposable {
  /**
   * Starts a program. Rejects with the system's error if it cannot be started, and with LauncherLostError if the launcher
   * ended before it reported the start.
   */
  start(command: Command): Promise<Launched>;
}

/** The launcher ended before it reported a start, so the program may run or not. */
export class LauncherLostError extends Error {
  constructor() {
    super("The launcher process ended before it reported the start of a program");
    this.name = "LauncherLostError";
  }
}

/** Message to the launcher. */
export interface LaunchRequest {
  id: number;
  command: Command;
}

/**
 * Message from the launcher about the request with this id: the program runs or cannot be started; later, that it
 * ended.
 */
export type LaunchReport =
  | { id: number; kind: "started"; pid: number; start: number }
  | { id: number; kind: "failed"; message: string; code: string | undefined }
  | { id: number; kind: "ended"; end: End };

const MAIN = fileURLToPath(new URL(`./launcher-main${extname(import.meta.url)}`, import.meta.url));

/**
 * Forks a launcher at once, and another one at the next start after it has ended. This process is kept alive by the
 * programs that run, not by the launcher.
 */
export function createLauncher(): Launcher {
  let current = openChannel();
  return {
    start(command) {
      if (current.isLost()) current = openChannel();
      return current.start(command);
    },
    [Symbol.dispose]: () => current.close(),
  };
}

interface Waiting {
  started: PromiseWithResolvers<Launched>;
  ended: PromiseWithResolvers<End>;
}

function openChannel() {
  const child = forkMain();
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  const lose = (): void => {
    for (const { started, ended } of waiting.values()) {
      started.reject(new LauncherLostError());
      ended.resolve("unknown");
    }
    waiting.clear();
  };
  child.once("disconnect", lose).on("error", lose);
  child.on("message", (report: LaunchReport) => {
    const { started, ended } = waiting.get(report.id) ?? {};
    if (report.kind === "started" && ended)
      started?.resolve({ pid: report.pid, start: report.start, ended: ended.promise });
    if (report.kind === "failed")
      started?.reject(Object.assign(new Error(report.message), { code: report.code }));
    if (report.kind === "ended") ended?.resolve(report.end);
    if (report.kind !== "started") waiting.delete(report.id);
    if (waiting.size === 0) child.channel?.unref();
  });
  return {
    isLost: () => !child.connected,
    async start(command: Command): Promise<Launched> {
      // A launcher that could not be forked for want of descriptors was never connected.
      if (!child.connected) throw new LauncherLostError();
      const id = ++lastId;
      const started = Promise.withResolvers<Launched>();
      waiting.set(id, { started, ended: Promise.withResolvers() });
      child.channel?.ref();
      // A send fails only if the channel is lost, which rejects all starts that wait.
      child.send({ id, command } satisfies LaunchRequest, () => {});
      return started.promise;
    },
    close: () => void (child.connected && child.disconnect()),
  };
}

/** Forks the launcher into a separate session, so that Ctrl-C at the server's terminal does not reach it. */
function forkMain(): ChildProcess {
  // The launcher shares the server's compile cache. Without it, it would load the code that strips types, and each of
  // its forks would copy twice the memory.
  const cache = getCompileCacheDir();
  const child = fork(MAIN, {
    detached: true,
    env: cache === undefined ? {} : { NODE_COMPILE_CACHE: dirname(cache) },
    execArgv: ["--max-semi-space-size=1"],
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  child.unref();
  child.channel?.unref();
  return child;
}
