import { firstOf, sleep } from "../../async/first-of.ts";
import type { Killer } from "../kill.ts";
import { send } from "../proc.ts";
import type { Pumps } from "../pumps.ts";
import type { ProcessRun } from "../run-record.ts";
import { scan } from "../scan.ts";
import { holdersOf, supervisorsOf } from "../task-processes.ts";
import { askInhabitants } from "./end-namespace.ts";
import { isInhabited, killNamespace, type Namespace } from "./namespace.ts";

/** Milliseconds between SIGTERM and SIGKILL to leftovers. */
const GRACE_MS = 2000;

interface Means {
  killer: Pick<Killer, "isGraceOver" | "graceOver">;
  pumps: Pumps;
  /** Resolves when the wrapper, its shells and the pumps have ended. */
  gone: Promise<void>;
}

/**
 * Ends every process that an isolated program has left in its namespace; resolves when none is alive and both outputs are
 * in the spool. Sends SIGTERM to each, and SIGKILL to the namespace after 2 s or when a kill's grace period is over. A
 * process outside of the namespace that was handed the output does not hold up the end: the pumps are killed then.
 */
export async function sweepNamespace(
  run: ProcessRun,
  namespace: Namespace,
  { killer, pumps, gone }: Means,
): Promise<void> {
  const until = performance.now() + GRACE_MS;
  const asked = new Set<string>();
  let isOver = false;
  void gone.then(
    () => {
      isOver = true;
    },
    () => {},
  );
  for (let pauseMs = 2; ; pauseMs = Math.min(pauseMs * 2, 50)) {
    run.released.throwIfAborted();
    const isLate = performance.now() >= until;
    const force = isLate || killer.isGraceOver();
    if (!isInhabited(namespace)) {
      if (isOver) return;
      pumps.drain();
      if (isLate) await releaseOutput(run);
    } else if (force) {
      killNamespace(namespace);
      pumps.drain();
    } else if (pauseMs > 2) {
      // Skipped in the first round: an init without other processes ends by itself at once.
      await askInhabitants(namespace, asked, run.birth);
    }
    await firstOf(
      run.released,
      (stop) => sleep(pauseMs, stop),
      ...(isOver ? [] : [() => gone]),
      ...(force ? [] : [() => killer.graceOver]),
    );
  }
}

/** Kills the pumps if a process outside of the namespace holds their pipes. */
async function releaseOutput(run: ProcessRun): Promise<void> {
  const snapshot = await scan();
  const { own, foreign } = holdersOf(snapshot, run);
  if (own.length + foreign.length === 0) return;
  for (const { pid } of supervisorsOf(snapshot, run)) send(pid, "SIGKILL");
}
