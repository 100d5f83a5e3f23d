import { sleep } from "../async/first-of.ts";
import { noteInterrupt, readStatus } from "./journal.ts";
import { killNewest } from "./kill-newest.ts";
import { isAlive, send } from "./proc.ts";
import type { ProcessRun } from "./run-record.ts";
import { scan } from "./scan.ts";
import { processesOf } from "./task-processes.ts";

export interface KillOptions {
  /** Default SIGTERM. */
  signal?: "SIGTERM" | "SIGINT";
  /** Whom the polite signal reaches: the task's process group (default), or its first process alone. */
  target?: "group" | "leader";
  /** Milliseconds until SIGKILL for everything; 0: at once, without a polite signal. */
  graceMs: number;
}

export interface Killer {
  kill(options: KillOptions): void;
  /** The time of politeness is over. */
  isDeadly(): boolean;
  /** Resolves when that time comes; never, if nobody kills. */
  readonly deadly: Promise<void>;
}

// Node fires at once for more.
const longestTimer = 2 ** 31 - 1;

/** A repeat may shorten the deadline and may send another signal; the same signal to the same target goes once. */
export function createKiller(run: ProcessRun): Killer {
  const { promise: deadly, resolve } = Promise.withResolvers<void>();
  const asked = new Set<string>();
  let deadline = Number.POSITIVE_INFINITY;
  let isDeadly = false;
  let timer: NodeJS.Timeout | undefined;
  const forceKill = () => {
    isDeadly = true;
    resolve();
    killUntilLeaderEnded(run).catch(() => {
      if (!run.released.aborted) timer = setTimeout(forceKill, 100); // a shortage
    });
  };
  run.released.addEventListener("abort", () => clearTimeout(timer), { once: true });
  return {
    deadly,
    isDeadly: () => isDeadly,
    kill({ signal = "SIGTERM", target = "group", graceMs }) {
      if (run.released.aborted || isDeadly) return;
      const until = performance.now() + graceMs;
      if (until < deadline) {
        deadline = until;
        clearTimeout(timer);
        if (graceMs <= 0) return forceKill();
        timer = setTimeout(forceKill, Math.min(graceMs, longestTimer));
      }
      const request = `${signal} ${target}`;
      if (asked.has(request)) return;
      asked.add(request);
      requestExit(run, signal, target).catch(() => asked.delete(request)); // released, or a shortage: may be repeated
    },
  };
}

/** Notes the tree, then signals; waits for a leader that is still on its way to its exec. */
async function requestExit(
  run: ProcessRun,
  signal: NodeJS.Signals,
  target: "group" | "leader",
): Promise<void> {
  for (let pauseMs = 2; ; pauseMs = Math.min(pauseMs * 2, 50)) {
    processesOf(await scan(run.birth), run);
    run.released.throwIfAborted();
    const leader = run.leader();
    if (leader && isAlive(leader)) {
      // Terraform takes a second SIGINT as leave to go without saving its state.
      if (signal === "SIGINT" && !noteInterrupt(run.folder)) return;
      if (send(target === "group" ? -leader.pid : leader.pid, signal) !== "gone") return;
    } else if (leader || readStatus(run.folder) !== undefined || !isAlive(run.wrapper)) {
      return; // ended by itself: the sweep takes the rest
    }
    await sleep(pauseMs, run.released);
  }
}

/**
 * Until the record is there; from then on the sweep goes on with the same harshness. Hunts before the leader dies too:
 * whoever is killed under a leader that reaps does not swell the process table that the next scan has to read.
 */
async function killUntilLeaderEnded(run: ProcessRun): Promise<void> {
  for (let pauseMs = 0; readStatus(run.folder) === undefined; pauseMs = Math.min(pauseMs + 2, 20)) {
    const snapshot = await scan(run.birth);
    run.released.throwIfAborted();
    const processes = processesOf(snapshot, run);
    stopLeader(run);
    killNewest(run, "SIGKILL");
    killAll(
      run,
      processes.map(({ pid }) => pid),
    );
    killNewest(run, "SIGKILL");
    if (processes.length === 0 && !isAlive(run.wrapper)) return;
    await sleep(pauseMs, run.released);
  }
}

/** So that it neither forks on nor logs "Killed" about children that die before it. */
function stopLeader(run: ProcessRun): void {
  const leader = run.leader();
  if (leader && isAlive(leader)) send(-leader.pid, "SIGSTOP");
}

/** SIGKILL; the group in one stroke first, since no fork slips through that. Returns the pids that are not ours to kill. */
export function killAll(run: ProcessRun, pids: readonly number[]): number[] {
  const leader = run.leader();
  if (leader && isAlive(leader)) send(-leader.pid, "SIGKILL");
  return pids.filter((pid) => send(pid, "SIGKILL") === "forbidden");
}
