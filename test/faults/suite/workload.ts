import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CatalogService } from "../../../gen/signalman/v1/catalog_service_pb.ts";
import type { Random } from "../../fuzz/random.ts";
import type { Caller } from "./clients.ts";
import type { Cluster } from "./cluster.ts";
import type { Limits, Watch, WatchOfAll } from "./history.ts";
import { watch, watchAll } from "./watchers.ts";

/**
 * Program of all tasks: notes its begin and its end in one file, and writes lines to both streams, each first into a copy.
 * Arguments: folder, number of lines, seconds between two lines, exit code.
 */
const PROGRAM = `
import os, signal, sys, time
folder, lines, pause, code = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
task = os.environ["SEMAPHORE_TASK_DETAILS_ID"]
notes = os.open(folder + "/programs", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
copies = [os.open(folder + "/%d." % n + task, os.O_WRONLY | os.O_APPEND | os.O_CREAT) for n in (1, 2)]
def note(what): os.write(notes, (what + " " + task + "\\n").encode())
def end(*_):
    note("end")
    os._exit(143)
def write(n, data):
    os.write(copies[n - 1], data)
    while data: data = data[os.write(n, data):]
signal.signal(signal.SIGTERM, end)
note("begin")
for i in range(1, lines + 1):
    write(1, b"out %d " % i + b"x" * (i * 37 % 200) + b"\\n")
    if i % 3 == 0: write(2, b"err %d" % i + (b"\\n" if i % 2 else b""))
    time.sleep(pause)
write(1, b"no newline at the end")
note("end")
sys.exit(code)
`;

/** Templates; the one that is not `parallel` runs one task at a time. */
const TEMPLATES = { parallel: true, alone: false };
/** Encrypted at rest until the task has ended. */
const SECRET = { TOKEN: "a value of a caller" };
/** Largest pause before a task is killed, in milliseconds. */
const KILL_MS = 1500;

/** How much the cluster has to do. */
export interface Load {
  /** Tasks that may be open at once; the next is submitted when one has ended. */
  open: number;
  /** Programs that may run at once. */
  limit: number;
  /** Largest number of lines of a program. */
  lines: number;
}

export const SHORT_LOAD: Load = { open: 12, limit: 7, lines: 40 };
export const limitsOf = ({ limit }: Load): Limits => ({ project: limit, templates: { alone: 1 } });

/** Puts the catalog of the suite into the cluster; returns the folder in which programs note what they do. */
export async function applyCatalog({ folder, servers }: Cluster, { limit }: Load): Promise<string> {
  const [scripts, notes] = [join(folder, "scripts"), join(folder, "notes")];
  for (const path of [scripts, notes]) await mkdir(path);
  await writeFile(join(scripts, "program"), PROGRAM);
  await servers[0]?.service.client(CatalogService).applyCatalog({
    catalog: {
      project: { name: "demo", maxParallelTasks: limit },
      repositories: [{ name: "scripts", url: scripts }],
      templates: Object.entries(TEMPLATES).map(([name, allowParallelTasks]) => ({
        name,
        app: "python",
        repository: "scripts",
        path: "program",
        allowParallelTasks,
        allowOverrideArguments: true,
        allowExtraVariables: true,
      })),
    },
  });
  return notes;
}

export interface Workload {
  watches: Watch[];
  watchesOfAll: WatchOfAll[];
  /** Stops to submit tasks; resolves when each of them was acknowledged and every kill was. */
  stopSubmitting(): Promise<void>;
  /** Ends the watches that have not ended by themselves. */
  stopWatching(): Promise<void>;
}

/** Submits tasks, kills some and watches all of them, until it is stopped. */
export async function startWorkload(
  caller: Caller,
  random: Random,
  { notes, load }: { notes: string; load: Load },
): Promise<Workload> {
  const [submitting, watching] = [new AbortController(), new AbortController()];
  const watches: Watch[] = [];
  const watchesOfAll: WatchOfAll[] = [];
  const watchers: Promise<void>[] = [];
  const kills: Promise<unknown>[] = [];
  const signal = watching.signal;

  for (const isRestless of [false, true]) {
    const watched: WatchOfAll = { watcher: isRestless ? "restless" : "steady", changes: [] };
    watchesOfAll.push(watched);
    await new Promise<void>((synced) => {
      watchers.push(watchAll(watched, { caller, random, isRestless, signal }, synced));
    });
  }

  function follow(task: string): Promise<unknown> {
    const all = [false, true].map((isRestless) => {
      const watched: Watch = { task, watcher: isRestless ? "restless" : "steady", seen: [] };
      watches.push(watched);
      return watch(watched, { caller, random, isRestless, signal });
    });
    watchers.push(...all);
    return Promise.race(all);
  }

  async function submitOne(): Promise<unknown> {
    const exitCode = random.pick([0, 0, 0, 7]);
    const pauses = random.pick([0.001, 0.01, 0.05]);
    const args = [notes, String(1 + random.below(load.lines)), String(pauses), String(exitCode)];
    const template = random.pick(["parallel", "parallel", "parallel", "alone"]);
    const { task } = await caller.submit({ template, exitCode, arguments: args, secretVariables: SECRET });
    const ended = follow(task);
    if (random.chance(0.25)) {
      const [ms, force] = [random.below(KILL_MS), random.chance(0.3)];
      kills.push(delay(ms).then(() => caller.kill(task, force)));
    }
    return ended;
  }

  async function submitInTurn(): Promise<void> {
    while (!submitting.signal.aborted) await submitOne();
  }

  const submitters = Array.from({ length: load.open }, submitInTurn);
  return {
    watches,
    watchesOfAll,
    async stopSubmitting() {
      submitting.abort();
      // Each submitter waits for the end of its last task, which may take long.
      const submitted = Promise.all(submitters);
      submitted.catch(() => {});
      await Promise.race([submitted, delay(60_000)]);
      await Promise.all(kills);
    },
    async stopWatching() {
      watching.abort();
      await Promise.allSettled(watchers);
    },
  };
}
