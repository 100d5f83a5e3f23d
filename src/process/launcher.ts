import { type ChildProcess, fork } from "node:child_process";
import { getCompileCacheDir } from "node:module";
import { dirname, extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Identity } from "./proc.ts";

/*
 * Programs are started by a process of their own. A fork copies the page tables of whoever forks, while that one waits:
 * with a server's 200 MB it took 9 ms instead of 1, and the server starts few programs and does much else. The launcher
 * holds no state that matters: what it started lives on without it, and another one is there for the next start.
 */

/** What to start, its environment complete. It gets a session of its own; its output goes to /dev/null. */
export interface Command {
  file: string;
  args: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  /** The name that it is told it has. Default: `file`. */
  argv0?: string;
  /** What it reads: the script wrapper.sh. Default: /dev/null. */
  stdin?: "wrapper";
}

/** How a process ended: by itself, by a signal, or nobody knows, since the launcher ended first. */
export type End = "exit" | "signal" | "unknown";

export interface Launched extends Identity {
  /** Never rejects. */
  ended: Promise<End>;
}

export interface Launcher extends Disposable {
  /** Rejects with the system's error if it cannot be started, and with LauncherLost if nobody knows. */
  start(command: Command): Promise<Launched>;
}

/** The launcher ended; what it was to start may run or not. */
export class LauncherLost extends Error {
  constructor() {
    super("The process that starts programs has ended");
    this.name = "LauncherLost";
  }
}

/** To the launcher. */
export interface LaunchRequest {
  id: number;
  command: Command;
}

/** From the launcher, about the request of this id: it runs, or cannot; then, that it ended. */
export type LaunchReport =
  | { id: number; kind: "started"; pid: number; start: number }
  | { id: number; kind: "failed"; message: string; code: string | undefined }
  | { id: number; kind: "ended"; end: End };

const MAIN = fileURLToPath(new URL(`./launcher-main${extname(import.meta.url)}`, import.meta.url));

/** A launcher at once, and a new one whenever it is missing. Only what it has started keeps this process alive. */
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
      started.reject(new LauncherLost());
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
      // A child that could not be forked for want of descriptors never was.
      if (!child.connected) throw new LauncherLost();
      const id = ++lastId;
      const started = Promise.withResolvers<Launched>();
      waiting.set(id, { started, ended: Promise.withResolvers() });
      child.channel?.ref();
      // A failure to send is a lost channel, which tells all.
      child.send({ id, command } satisfies LaunchRequest, () => {});
      return started.promise;
    },
    close: () => void (child.connected && child.disconnect()),
  };
}

/** In a session of its own, so that Ctrl-C at the server's terminal passes it by. */
function forkMain(): ChildProcess {
  // Of the version of Node that we both are; without it the launcher holds what strips types, and forks twice the memory.
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
