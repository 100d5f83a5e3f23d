import { setTimeout } from "node:timers/promises";
import { sweepMarked } from "../kill-by-marker.ts";
import { type Proc, send } from "../proc.ts";
import { type Birth, type Snapshot, scan } from "../scan.ts";
import { isInhabited, killNamespace, type Namespace } from "./namespace.ts";

/** Sends SIGTERM to every process of a namespace but its init, except those in `asked`, to which it adds them. */
export async function askInhabitants(
  namespace: Namespace,
  asked = new Set<string>(),
  since?: Birth,
): Promise<void> {
  for (const { pid, start } of inhabitantsOf(await scan(since), namespace)) {
    const key = `${pid}:${start}`;
    if (!asked.has(key)) send(pid, "SIGTERM");
    asked.add(key);
  }
}

/**
 * Kills every process of a namespace, and resolves when none is alive. While the namespace has not been reported, the
 * processes that create it are found by the marker in their environment.
 */
export async function endNamespace(namespace: Namespace, marker: string): Promise<void> {
  if (!namespace.init()) await sweepMarked(marker);
  for (let pauseMs = 1; isInhabited(namespace); pauseMs = Math.min(pauseMs * 2, 50)) {
    killNamespace(namespace);
    await setTimeout(pauseMs);
  }
}

/** Returns the living processes of a namespace but its init: orphans become children of the init, so all descend from it. */
function inhabitantsOf(snapshot: Snapshot, namespace: Namespace): Proc[] {
  const init = namespace.init();
  const found = new Set<number>(init ? [init.pid] : []);
  const procs = [...snapshot.procs.values()].filter((proc) => !proc.dead);
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const proc of procs) if (found.has(proc.ppid)) found.add(proc.pid);
  }
  return procs.filter(({ pid }) => found.has(pid) && pid !== init?.pid);
}
