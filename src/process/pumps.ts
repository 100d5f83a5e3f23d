import { sleep } from "../async/first-of.ts";
import { send } from "./proc.ts";
import type { ProcessRun } from "./run-record.ts";
import { scanNow } from "./scan.ts";
import { pumpsOf } from "./task-processes.ts";

/** The two `cat`s between the task and its spool. */
export interface Pumps {
  hold(): void;
  letGo(): void;
  /** Lets go for good: every writer is dead, what is left in the pipes is small and wanted. */
  drain(): void;
  isHeld(): boolean;
}

// A pump that is asked to stop in its first milliseconds may not have become `cat` yet.
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

/** After a crash of the server nobody knows whether it had stopped them. */
export function wakePumps(run: ProcessRun): void {
  for (const pump of pumpsOf(scanNow([run.birth]), run)) send(pump.pid, "SIGCONT");
}
