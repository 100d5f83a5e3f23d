import { sleep } from "../async/first-of.ts";
import { send } from "./proc.ts";
import type { ProcessRun } from "./run-record.ts";
import { scanNow } from "./scan.ts";
import { pumpsOf } from "./task-processes.ts";

/** The two `cat` processes between a task's program and its spool. */
export interface Pumps {
  /** Stops both pumps, so that writers block when the pipes are full. */
  hold(): void;
  /** Resumes both pumps. */
  letGo(): void;
  /**
   * Resumes both pumps for good, once every writer has ended: the rest in the pipes is small and belongs to the
   * output.
   */
  drain(): void;
  isHeld(): boolean;
}

// A pump that is stopped in its first milliseconds may not be `cat` yet, so the signal is sent again.
const young = { tries: 20, everyMs: 10 };

export function createPumps(run: ProcessRun): Pumps {
  let state: "open" | "held" | "draining" = "open";
  const signalAll = (signal: NodeJS.Signals) => {
    const pumps = pumpsOf(scanNow([run.birth]), run);
    for (const pump of pumps) send(pump.pid, signal);
    return pumps.length;
  };
  const holdYoung = async () => {
    for (let tries = 0; tries < young.tries && state === "held"; tries++) {
      if (signalAll("SIGSTOP") === 2) return;
      await sleep(young.everyMs, run.released);
    }
  };
  return {
    hold() {
      if (state !== "open" || run.released.aborted) return;
      state = "held";
      holdYoung().catch(() => {}); // released
    },
    letGo() {
      if (state !== "held" || run.released.aborted) return;
      state = "open";
      signalAll("SIGCONT");
    },
    drain() {
      const wasHeld = state === "held";
      state = "draining";
      if (wasHeld) signalAll("SIGCONT");
    },
    isHeld: () => state === "held",
  };
}

/** Resumes pumps that an earlier server may have stopped before it crashed. */
export function wakePumps(run: ProcessRun): void {
  for (const pump of pumpsOf(scanNow([run.birth]), run)) send(pump.pid, "SIGCONT");
}
