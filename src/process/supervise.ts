import { firstOf, sleep } from "../async/first-of.ts";
import type { Exit } from "../task/exit.ts";
import { exitFromStatus } from "./exit.ts";
import { readStatus } from "./journal.ts";
import type { Killer } from "./kill.ts";
import type { Pumps } from "./pumps.ts";
import type { ProcessRun } from "./run-record.ts";
import { sweepLeftovers } from "./sweep.ts";
import { exitRecorded, supervisorsGone } from "./watch.ts";

// `exec > >(tee …)` is common: such a writer ends by itself right after the leader.
const writersMs = 500;

const retryMs = 500;

/**
 * Follows a run to its end and never rejects: supervision holds no state that is not on disk or in /proc, so after a
 * shortage (descriptors, disk errors) it begins again, as after an adoption. Never settles after release.
 */
export async function superviseAlways(run: ProcessRun, killer: Killer, pumps: Pumps): Promise<Exit> {
  for (;;) {
    try {
      return await supervise(run, killer, pumps);
    } catch (error) {
      if (run.released.aborted) return new Promise(() => {});
      process.emitWarning(`Supervision of task ${run.marker} begins again: ${error}`);
      await sleep(retryMs, run.released).catch(() => {});
    }
  }
}

/** The leader's record, then the writers it left, then the sweep, then the last byte. */
async function supervise(run: ProcessRun, killer: Killer, pumps: Pumps): Promise<Exit> {
  const gone = supervisorsGone(run);
  await firstOf(
    run.released,
    (stop) => exitRecorded(run, stop),
    () => gone,
  );
  await firstOf(
    run.released,
    () => gone,
    () => killer.deadly,
    (stop) => writersGrace(pumps, stop),
  );
  await sweepLeftovers(run, { killer, pumps, gone });
  const status = readStatus(run.folder);
  return status === undefined ? { kind: "lost" } : exitFromStatus(status);
}

/** The clock stands still while the pumps are held: nobody can finish writing then. */
async function writersGrace(pumps: Pumps, signal: AbortSignal): Promise<void> {
  const stepMs = 25;
  for (let leftMs = writersMs; leftMs > 0; ) {
    await sleep(stepMs, signal);
    if (!pumps.isHeld()) leftMs -= stepMs;
  }
}
