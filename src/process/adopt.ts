import { sleep } from "../async/first-of.ts";
import { abandon, readAttempt, readWrapper } from "./journal.ts";
import type { Identity } from "./proc.ts";
import { bootId } from "./proc.ts";
import { wakePumps } from "./pumps.ts";
import { describeRun, type ProcessRun } from "./run-record.ts";
import { scan } from "./scan.ts";

// Identity that no process has: stands for a wrapper of another boot, or of a journal that a crash tore.
const noProcess: Identity = { pid: 2 ** 31 - 1, start: Number.MAX_SAFE_INTEGER };

/**
 * Returns the run that an earlier server started in `folder`; undefined if its program never started. Its
 * recorded attempt, if there is one, is then abandoned, so that a wrapper that comes late does not start the program.
 * @throws Error if the folder belongs to another task
 */
export async function adoptRun(
  folder: string,
  marker: string,
  released: AbortSignal,
): Promise<ProcessRun | undefined> {
  const attempt = readAttempt(folder);
  const runOf = (wrapper: Identity) =>
    describeRun(folder, marker, wrapper, { birth: undefined, child: undefined, released });
  // A process that carries the marker but has no journal can only be ended: starting the program anew would run it
  // twice.
  if (attempt === undefined) return (await isAnyAlive(marker)) ? runOf(noProcess) : undefined;
  if (attempt === "torn") return runOf(noProcess);
  if (attempt.marker !== marker) {
    throw new Error(
      `Cannot adopt task ${marker} from ${folder}: the folder belongs to task ${attempt.marker}`,
    );
  }
  if (abandon(folder, attempt)) return undefined;
  if (attempt.boot !== bootId()) return runOf(noProcess);
  const wrapper = await recordedWrapper(folder, marker);
  if (!wrapper) return undefined;
  const run = runOf(wrapper);
  wakePumps(run);
  return run;
}

/**
 * Waits until the wrapper has recorded itself in the journal. Resolves with undefined if it ended before that, as it
 * does on a full disk.
 */
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
