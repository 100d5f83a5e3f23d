import { sleep } from "../async/first-of.ts";
import { abandon, readAttempt, readWrapper } from "./journal.ts";
import type { Identity } from "./proc.ts";
import { bootId } from "./proc.ts";
import { wakePumps } from "./pumps.ts";
import { describeRun, type ProcessRun } from "./run-record.ts";
import { scan } from "./scan.ts";

// Nobody has these: pids of another boot, or of a record that a crash tore.
const nobody: Identity = { pid: 2 ** 31 - 1, start: Number.MAX_SAFE_INTEGER };

/** Finds the run of an earlier server; `undefined`: it never started, and is now kept from starting late. */
export async function adoptRun(
  folder: string,
  marker: string,
  released: AbortSignal,
): Promise<ProcessRun | undefined> {
  const attempt = readAttempt(folder);
  const runOf = (wrapper: Identity) =>
    describeRun(folder, marker, wrapper, { birth: undefined, child: undefined, released });
  // Without a record, what runs can only be ended: to start it anew would run it twice.
  if (attempt === undefined) return (await isAnyAlive(marker)) ? runOf(nobody) : undefined;
  if (attempt === "torn") return runOf(nobody);
  if (attempt.marker !== marker) {
    throw new Error(
      `Cannot adopt task ${marker} from ${folder}: the folder belongs to task ${attempt.marker}`,
    );
  }
  if (abandon(folder, attempt)) return undefined;
  if (attempt.boot !== bootId()) return runOf(nobody);
  const wrapper = await recordedWrapper(folder, marker);
  if (!wrapper) return undefined;
  const run = runOf(wrapper);
  wakePumps(run);
  return run;
}

/** A wrapper caught in its first acts needs a moment; `undefined` if it died in them, or gave up on a full disk. */
async function recordedWrapper(folder: string, marker: string): Promise<Identity | undefined> {
  for (;;) {
    const wrapper = readWrapper(folder);
    if (wrapper) return wrapper;
    if (!(await isAnyAlive(marker))) return readWrapper(folder);
    await sleep(5, new AbortController().signal);
  }
}

async function isAnyAlive(marker: string): Promise<boolean> {
  const snapshot = await scan();
  return [...snapshot.procs.values()].some((proc) => !proc.dead && snapshot.taskMarker(proc) === marker);
}
