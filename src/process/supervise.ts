import { firstOf, sleep } from "../async/first-of.ts";
import type { Exit } from "../task/exit.ts";
import { exitFromStatus } from "./exit.ts";
import { sweepNamespace } from "./isolation/sweep-namespace.ts";
import { readStatus } from "./journal.ts";
import type { Killer } from "./kill.ts";
import type { Pumps } from "./pumps.ts";
import type { ProcessRun } from "./run-record.ts";
import { sweepLeftovers } from "./sweep.ts";
import { exitRecorded, supervisorsGone } from "./watch.ts";

// Milliseconds that writers may go on after the leader's end. `exec > >(tee …)` is common, and that tee ends by
// itself.
const writersMs = 500;

const retryMs = 500;

/**
 * Follows a run to its end; never rejects. Supervision keeps all its state on disk and in /proc, so after an error
 * (no descriptors, a disk error) it starts over as after an adoption. Never settles after release.
 */
export async function superviseAlways(run: ProcessRun, killer: Killer, pumps: Pumps): Promise<Exit> {
  for (;;) {
    try {
      return await supervise(run, killer, pumps);
    } catch (error) {
      if (run.released.aborted) return new Promise(() => {});
      process.emitWarning(`Supervision of task ${run.marker} failed and starts over: ${error}`);
      await sleep(retryMs, run.released).catch(() => {});
    }
  }
}

/**
 * Waits for the leader's exit record, then for the writers it left, then for the sweep, so that the output is
 * complete.
 */
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
    () => killer.graceOver,
    (stop) => writersGrace(pumps, stop),
  );
  const means = { killer, pumps, gone };
  await (run.namespace ? sweepNamespace(run, run.namespace, means) : sweepLeftovers(run, means));
  const status = readStatus(run.folder);
  return status === undefined ? { kind: "lost" } : exitFromStatus(status);
}

/**
 * Waits for the writers' grace period. Time in which the pumps are held does not count, since no writer can finish
 * then.
 */
async function writersGrace(pumps: Pumps, signal: AbortSignal): Promise<void> {
  const stepMs = 25;
  for (let leftMs = writersMs; leftMs > 0; ) {
    await sleep(stepMs, signal);
    if (!pumps.isHeld()) leftMs -= stepMs;
  }
}
