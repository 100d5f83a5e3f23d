import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { benchClient } from "./client.ts";
import { type Row, ratio } from "./measure.ts";
import { inParallel } from "./parallel.ts";
import { applyScripts, type BenchServer } from "./server.ts";

const SCRIPT = "echo hello\n";
const SPAWN_LOOP = fileURLToPath(new URL("./spawn-loop.ts", import.meta.url));
const TASKS = 1000;
const WARM_UP = 100;
export const AT_ONCE = 16;

/**
 * (d) Measures 1000 short tasks, 16 at a time, from the first RunTask to the last end, on a warm server. The floors start the
 * script as often in a loop, one at a time and 16 at a time.
 */
export async function benchShortTasks(server: BenchServer): Promise<Row[]> {
  await applyScripts(server, { hello: SCRIPT });
  const script = join(server.dataDir, "hello.sh");
  await writeFile(script, SCRIPT);
  const spawnRates = async () => ({
    one: await spawnRate(script, 1),
    many: await spawnRate(script, AT_ONCE),
  });
  await taskRate(server.url, WARM_UP);
  // Measured before and after, so that a change of the machine's speed affects both.
  const before = await spawnRates();
  const served = await taskRate(server.url, TASKS);
  const after = await spawnRates();
  const loop = (before.one + after.one) / 2;
  const crowded = (before.many + after.many) / 2;
  return [
    { part: "d", what: "spawn loop", value: loop, unit: "programs/s" },
    { part: "d", what: `spawn loop, ${AT_ONCE} at once`, value: crowded, unit: "programs/s" },
    { part: "d", what: `tasks, ${AT_ONCE} at once`, value: served, unit: "tasks/s" },
    {
      part: "d",
      what: `tasks / spawns, ${AT_ONCE} at once`,
      value: served / crowded,
      unit: "times the floor",
    },
    ratio("d", "tasks / spawn loop", served / loop, "≥", 0.25),
  ];
}

/** Runs the loop in a new process, since a fork copies the page tables of its parent, and those of the bench are large. */
async function spawnRate(script: string, atOnce: number): Promise<number> {
  const args = [SPAWN_LOOP, script, String(TASKS), String(atOnce)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return Number(stdout);
}

/** Runs tasks of the template `hello`, 16 at a time; returns how many of them ended in a second. */
export async function taskRate(url: string, tasks: number): Promise<number> {
  const client = benchClient(url);
  const changes = client.watchTasks("projects/bench");
  const synced = Promise.withResolvers<void>();
  const ended = countEnds(changes as AsyncIterable<TasksEvent>, tasks, synced.resolve);
  await synced.promise;
  const start = performance.now();
  await inParallel(tasks, AT_ONCE, () => client.runTask({ template: "projects/bench/templates/hello" }));
  await ended;
  const seconds = (performance.now() - start) / 1000;
  client.close();
  return tasks / seconds;
}

/** Fields of a WatchTasksResponse that the count reads. */
interface TasksEvent {
  synced?: object;
  change?: { change: { end?: object } };
}

async function countEnds(events: AsyncIterable<TasksEvent>, tasks: number, onSynced: () => void) {
  let left = tasks;
  for await (const { synced, change } of events) {
    if (synced) onSynced();
    if (change?.change.end && --left === 0) return;
  }
  throw new Error(`${left} tasks did not end`);
}
