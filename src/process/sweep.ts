import { firstOf, sleep } from "../async/first-of.ts";
import type { Killer } from "./kill.ts";
import { killAll } from "./kill.ts";
import { killNewest } from "./kill-newest.ts";
import { type Identity, type Proc, send } from "./proc.ts";
import type { Pumps } from "./pumps.ts";
import type { ProcessRun } from "./run-record.ts";
import { type Snapshot, scan, scanTogether } from "./scan.ts";
import { hasUnrecognized, holdersOf, processesOf, supervisorsOf } from "./task-processes.ts";

const politeMs = 2000;
// Rounds for somebody who cannot be recognized; the pauses between them add up to half a second.
const maxDoubts = 15;

/** What a sweep goes by, beside the run. */
interface Means {
  killer: Pick<Killer, "isDeadly" | "deadly">;
  pumps: Pumps;
  /** Resolved when nobody records or drains any more. */
  gone: Promise<void>;
}

/**
 * Ends whatever a task left behind, and returns when nothing of it lives and both outputs are in the spool. SIGTERM,
 * SIGKILL after 2 s or when a kill's grace is over. Processes that we may not signal (sudo) are left; if such a one
 * holds the output, the pumps are ended after the same 2 s.
 */
export async function sweepLeftovers(run: ProcessRun, { killer, pumps, gone }: Means): Promise<void> {
  const politeUntil = performance.now() + politeMs;
  const sweep = createSweep(run);
  const over = watchFor(gone);
  let doubts = maxDoubts;
  // Most find nothing, and need no more than the first look.
  let look = killer.isDeadly() ? scan : scanTogether;
  for (let pauseMs = 2; ; pauseMs = Math.min(pauseMs * 2, 50)) {
    const wasOver = over();
    const snapshot = await look(wasOver ? run.birth : undefined);
    look = scan;
    run.released.throwIfAborted();
    const late = performance.now() >= politeUntil;
    const deadly = late || killer.isDeadly();
    let left = sweep.forceKill(snapshot, deadly, !wasOver);
    if (left > 0 ? deadly : snapshot.isBlurred) left += killNewest(run, deadly ? "SIGKILL" : "SIGTERM");
    if (left === 0) {
      if (wasOver && (--doubts < 0 || !hasUnrecognized(snapshot, run))) return;
      pumps.drain();
      if (late && sweep.isHeldByOthers())
        for (const { pid } of supervisorsOf(snapshot, run)) send(pid, "SIGKILL");
    }
    await firstOf(
      run.released,
      (stop) => sleep(pauseMs, stop),
      ...(wasOver ? [] : [() => gone]),
      ...(deadly ? [] : [() => killer.deadly]),
    );
  }
}

function createSweep(run: ProcessRun) {
  const asked = new Set<string>();
  const untouchable = new Set<string>();
  let others = 0;
  return {
    isHeldByOthers: () => others > 0,
    /** One blow at everything that is left; returns how many that were. */
    forceKill(snapshot: Snapshot, deadly: boolean, withHolders: boolean): number {
      const holders = withHolders ? holdersOf(snapshot, run) : { own: [], foreign: [] };
      const all = new Set<Proc>([...processesOf(snapshot, run), ...holders.own]);
      const left = [...all].filter((proc) => !untouchable.has(keyOf(proc)));
      others = holders.foreign.length + holders.own.filter((proc) => untouchable.has(keyOf(proc))).length;
      const fresh = deadly ? left : left.filter((proc) => !asked.has(keyOf(proc)));
      const forbidden =
        deadly && left.length
          ? new Set(
              killAll(
                run,
                left.map(({ pid }) => pid),
              ),
            )
          : new Set<number>();
      for (const proc of fresh) {
        asked.add(keyOf(proc));
        if (!deadly && send(proc.pid, "SIGTERM") === "forbidden") forbidden.add(proc.pid);
        if (forbidden.has(proc.pid)) untouchable.add(keyOf(proc));
      }
      return left.length;
    },
  };
}

function keyOf({ pid, start }: Identity): string {
  return `${pid}:${start}`;
}

/** A promise's state, to be asked between waits. */
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
