import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { send } from "./proc.ts";
import { scan } from "./scan.ts";

/**
 * Kills every process whose command line begins like this, and waits until it is gone, except for those that we may not
 * signal. For programs that write their own title over their environment, as ssh's masters of shared connections do when
 * they have left everyone behind: no marker is left to find them by.
 */
export async function sweepTitled(beginning: string): Promise<void> {
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 50)) {
    const { procs } = await scan();
    const found = [...procs.values()].filter((proc) => !proc.dead && titleOf(proc.pid).startsWith(beginning));
    const struck = found.filter(({ pid }) => send(pid, "SIGKILL") === "sent");
    if (struck.length === 0) return;
    await setTimeout(pauseMs);
  }
}

function titleOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return ""; // it has ended
  }
}
