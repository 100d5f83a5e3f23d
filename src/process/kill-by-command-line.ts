import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { send } from "./proc.ts";
import { scan } from "./scan.ts";

/**
 * Kills every process whose command line begins with a text, and waits until they are gone. Leaves processes that the
 * server may not signal. For programs that overwrite their environment with a title and so lose the marker, as
 * orphaned ControlPersist masters of ssh do.
 */
export async function sweepTitled(beginning: string): Promise<void> {
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 50)) {
    const { procs } = await scan();
    const found = [...procs.values()].filter((proc) => !proc.dead && titleOf(proc.pid).startsWith(beginning));
    const killed = found.filter(({ pid }) => send(pid, "SIGKILL") === "sent");
    if (killed.length === 0) return;
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
