import { sleep } from "../async/first-of.ts";
import { isInhabited, killNamespace, type Namespace } from "./isolation/namespace.ts";
import { noteInterrupt, readStatus } from "./journal.ts";
import { killNewest } from "./kill-newest.ts";
import { isAlive, send } from "./proc.ts";
import type { ProcessRun } from "./run-record.ts";
import { scan } from "./scan.ts";
import { processesOf } from "./task-processes.ts";

/*
 * The path of a kill. A kill request sends SIGTERM (SIGINT for Terraform) to the task's process group, or to its
 * leader alone, and starts the grace period. Before the signal is sent, every living process of the task is noted
 * (task-processes.ts), so that one that leaves the group or becomes an orphan is still found. If the leader ends
 * within the grace period, its wrapper records the exit. If it does not, its group is stopped by SIGSTOP, so that it
 * forks no more, and every process of the task gets SIGKILL in rounds of scan and signal until the exit is recorded.
 * The wrapper's shells and the pumps are spared, since they record the exit and drain the output. In both cases the
 * sweep (sweep.ts) then ends the processes that are left: by SIGTERM, and by SIGKILL after 2 s or once the grace
 * period is over. The run has ended when none of its processes is alive and its output is complete in the spool; only
 * processes that the server may not signal (sudo) are left.
 *
 * An isolated program needs none of these scans: SIGKILL to the first process of its namespace ends all of them at once
 * (isolation/namespace.ts).
 */

export interface KillOptions {
  /** First signal. Default: SIGTERM. */
  signal?: "SIGTERM" | "SIGINT";
  /** Receiver of the first signal: the task's process group (default), or its first process alone. */
  target?: "group" | "leader";
  /** Milliseconds until every process of the task gets SIGKILL. 0: at once, without a first signal. */
  graceMs: number;
}

export interface Killer {
  kill(options: KillOptions): void;
  /** Whether the grace period is over, so that SIGKILL is sent until the processes are gone. */
  isGraceOver(): boolean;
  /** Resolves when the grace period is over; never, if no kill is requested. */
  readonly graceOver: Promise<void>;
}

// Longest delay of a timer, in milliseconds; Node fires a longer one at once.
const longestTimer = 2 ** 31 - 1;

/**
 * Creates the killer of a run. A repeated kill may shorten the deadline and may send another signal; the same signal
 * to the same target is sent once.
 */
export function createKiller(run: ProcessRun): Killer {
  const { promise: graceOver, resolve } = Promise.withResolvers<void>();
  const asked = new Set<string>();
  let deadline = Number.POSITIVE_INFINITY;
  let isGraceOver = false;
  let timer: NodeJS.Timeout | undefined;
  const forceKill = () => {
    isGraceOver = true;
    resolve();
    killUntilLeaderEnded(run).catch(() => {
      if (!run.released.aborted) timer = setTimeout(forceKill, 100); // no descriptors or memory
    });
  };
  run.released.addEventListener("abort", () => clearTimeout(timer), { once: true });
  return {
    graceOver,
    isGraceOver: () => isGraceOver,
    kill({ signal = "SIGTERM", target = "group", graceMs }) {
      if (run.released.aborted || isGraceOver) return;
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
      requestExit(run, signal, target).catch(() => asked.delete(request)); // released, or no descriptors: may be repeated
    },
  };
}

/** Notes the task's processes, then sends the first signal. Waits for a leader that is not yet at its exec. */
async function requestExit(
  run: ProcessRun,
  signal: NodeJS.Signals,
  target: "group" | "leader",
): Promise<void> {
  for (let pauseMs = 2; ; pauseMs = Math.min(pauseMs * 2, 50)) {
    if (!run.namespace) processesOf(await scan(run.birth), run);
    run.released.throwIfAborted();
    const leader = run.leader();
    if (leader && isAlive(leader)) {
      // Terraform takes a second SIGINT as the order to exit without saving its state.
      if (signal === "SIGINT" && !noteInterrupt(run.folder)) return;
      if (send(target === "group" ? -leader.pid : leader.pid, signal) !== "gone") return;
    } else if (leader || readStatus(run.folder) !== undefined || !isAlive(run.wrapper)) {
      return; // it has ended: the sweep ends the rest
    }
    await sleep(pauseMs, run.released);
  }
}

/**
 * Sends SIGKILL to every process of the task, in rounds, until the leader's exit is recorded; the sweep then does the
 * same. Descendants are killed before the leader has ended too: a leader that reaps them keeps the process table
 * short, which the next scan has to read.
 */
async function killUntilLeaderEnded(run: ProcessRun): Promise<void> {
  if (run.namespace) return killUntilNamespaceEnded(run, run.namespace);
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

/** Kills the namespace of an isolated program as soon as it is reported, until the exit is recorded. */
async function killUntilNamespaceEnded(run: ProcessRun, namespace: Namespace): Promise<void> {
  for (let pauseMs = 0; readStatus(run.folder) === undefined; pauseMs = Math.min(pauseMs + 2, 20)) {
    run.released.throwIfAborted();
    killNamespace(namespace);
    if (!isInhabited(namespace) && !isAlive(run.wrapper)) return;
    await sleep(pauseMs, run.released);
  }
}

/**
 * Stops the task's process group, so that the leader neither forks on nor logs "Killed" about children that die
 * before it.
 */
function stopLeader(run: ProcessRun): void {
  const leader = run.leader();
  if (leader && isAlive(leader)) send(-leader.pid, "SIGSTOP");
}

/**
 * Sends SIGKILL to the task's process group in one call, which no fork escapes, then to each of the pids. Returns the
 * pids that the server may not signal.
 */
export function killAll(run: ProcessRun, pids: readonly number[]): number[] {
  const leader = run.leader();
  if (leader && isAlive(leader)) send(-leader.pid, "SIGKILL");
  return pids.filter((pid) => send(pid, "SIGKILL") === "forbidden");
}
