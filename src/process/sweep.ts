import { firstOf, sleep } from "../async/first-of.ts";
import type { Killer } from "./kill.ts";
import { killAll } from "./kill.ts";
import { killNewest } from "./kill-newest.ts";
import { type Identity, type Proc, send } from "./proc.ts";
import type { Pumps } from "./pumps.ts";
import type { ProcessRun } from "./run-record.ts";
import { type Snapshot, scan, scanTogether } from "./scan.ts";
import { hasUnrecognized, holdersOf, processesOf, supervisorsOf } from "./task-processes.ts";

// Milliseconds between SIGTERM and SIGKILL to leftovers.
const graceMs = 2000;
// Maximum number of scans that are repeated because a process cannot be recognized. Their pauses add up to half a second.
const maxRepeats = 15;

/** Parts that a sweep depends on, beside the run. */
interface Means {
  killer: Pick<Killer, "isGraceOver" | "graceOver">;
  pumps: Pumps;
  /** Resolves when the wrapper, its shells and the pumps have ended. */
  gone: Promise<void>;
}

/**
 * Ends every process that a task has left; resolves when none is alive and both outputs are in the spool. Sends
 * SIGTERM, and SIGKILL after 2 s or when a kill's grace period is over. Leaves processes that the server may not
 * signal (sudo); if such a process holds the output, the pumps are killed after the same 2 s.
 */
export async function sweepLeftovers(run: ProcessRun, { killer, pumps, gone }: Means): Promise<void> {
  const graceUntil = performance.now() + graceMs;
  const sweep = createSweep(run);
  const over = watchFor(gone);
  let repeats = maxRepeats;
  // Most sweeps find no process in their first scan, so that scan may wait to be shared with other tasks.
  let look = killer.isGraceOver() ? scan : scanTogether;
  for (let pauseMs = 2; ; pauseMs = Math.min(pauseMs * 2, 50)) {
    const wasOver = over();
    const snapshot = await look(wasOver ? run.birth : undefined);
    look = scan;
    run.released.throwIfAborted();
    const late = performance.now() >= graceUntil;
    const force = late || killer.isGraceOver();
    let left = sweep.signalAll(snapshot, force, !wasOver);
    if (left > 0 ? force : snapshot.isBlurred) left += killNewest(run, force ? "SIGKILL" : "SIGTERM");
    if (left === 0) {
      if (wasOver && (--repeats < 0 || !hasUnrecognized(snapshot, run))) return;
      pumps.drain();
      if (late && sweep.isHeldByOthers())
        for (const { pid } of supervisorsOf(snapshot, run)) send(pid, "SIGKILL");
    }
    await firstOf(
      run.released,
      (stop) => sleep(pauseMs, stop),
      ...(wasOver ? [] : [() => gone]),
      ...(force ? [] : [() => killer.graceOver]),
    );
  }
}

function createSweep(run: ProcessRun) {
  const asked = new Set<string>();
  const untouchable = new Set<string>();
  let others = 0;
  return {
    isHeldByOthers: () => others > 0,
    /** Signals every process that is left; returns their number. */
    signalAll(snapshot: Snapshot, force: boolean, withHolders: boolean): number {
      const holders = withHolders ? holdersOf(snapshot, run) : { own: [], foreign: [] };
      const all = new Set<Proc>([...processesOf(snapshot, run), ...holders.own]);
      const left = [...all].filter((proc) => !untouchable.has(keyOf(proc)));
      others = holders.foreign.length + holders.own.filter((proc) => untouchable.has(keyOf(proc))).length;
      const fresh = force ? left : left.filter((proc) => !asked.has(keyOf(proc)));
      const forbidden =
        force && left.length
          ? new Set(
              killAll(
                run,
                left.map(({ pid }) => pid),
              ),
            )
          : new Set<number>();
      for (const proc of fresh) {
        asked.add(keyOf(proc));
        if (!force && send(proc.pid, "SIGTERM") === "forbidden") forbidden.add(proc.pid);
        if (forbidden.has(proc.pid)) untouchable.add(keyOf(proc));
      }
      return left.length;
    },
  };
}

function keyOf({ pid, start }: Identity): string {
  return `${pid}:${start}`;
}

/** Returns a function that tells whether a promise has resolved. */
function watchFor(promise: Promise<void>): () => boolean {
  let settled = false;
  promise.then(
    () => {
      settled = true;
    },
    () => {},
  );
  return () => settled;
}
