import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isFinal } from "../../../src/task/status.ts";
import { createRandom, type Random, seedOf } from "../../fuzz/random.ts";
import { aliveOf } from "../traces.ts";
import { type Caller, createCaller, nameOf } from "./clients.ts";
import { type Cluster, startCluster, within } from "./cluster.ts";
import { DATABASE_FAULTS, GENTLE_FAULTS, mute, ROUGH_FAULTS, type Stage } from "./faults.ts";
import type { Final, History, Watch, Written } from "./history.ts";
import { brokenInvariants } from "./invariants.ts";
import { violationsOf } from "./validators.ts";
import { watch } from "./watchers.ts";
import { applyCatalog, type Load, limitsOf, SHORT_LOAD, startWorkload, type Workload } from "./workload.ts";

export interface RunOptions {
  /** Path of the server (build.ts). */
  program: string;
  /** The same seed gives the same faults and the same tasks; their moments differ. */
  seed: number;
  /** How many times each fault strikes. */
  rounds: number;
  /** Names of the faults that strike; absent: all. */
  only?: RegExp | undefined;
  load?: Load | undefined;
}

export interface RunReport {
  violations: string[];
  tasks: number;
  events: number;
  /** Numbers of calls that failed and were repeated, by their codes. */
  refusals: ReadonlyMap<string, number>;
  /** Faults that took place, in order, with their seconds since the start. */
  faults: string[];
}

/** Milliseconds in which, once all faults are over, at least one more task, watcher or folder comes to its end. */
const CALM_MS = 30_000;

/** Tasks that are read at once after the run. */
const READERS = 8;

/** Runs three servers under load and faults, and judges what was recorded. */
export async function runSuite({
  program,
  seed,
  rounds,
  only = /^/,
  load = SHORT_LOAD,
}: RunOptions): Promise<RunReport> {
  await using cluster = await startCluster(program);
  const faults: string[] = [];
  const begun = performance.now();
  const seconds = () => ((performance.now() - begun) / 1000).toFixed(1);
  const notes = await applyCatalog(cluster, load);
  const caller = createCaller(cluster.servers, createRandom(seedOf(seed, 1)));
  const random = createRandom(seedOf(seed, 2));
  const workload = await startWorkload(caller, createRandom(seedOf(seed, 3)), { notes, load });
  const note = (server: string) => (text: string) => void faults.push(`${seconds()} s ${server}: ${text}`);
  await strikeAll({ cluster, caller, random, rounds, only, note });
  await mute(cluster);
  await workload.stopSubmitting();
  note("all")("faults are over");
  const history = await record(cluster, caller, workload, { notes, load });
  note("all")("everything is recorded");
  const violations = [...violationsOf(history), ...(await brokenInvariants(cluster.sql))];
  const events = [...history.watches, ...history.stored].reduce((sum, { seen }) => sum + seen.length, 0);
  return { violations, tasks: history.submissions.length, events, refusals: caller.refusals, faults };
}

interface Striking extends Omit<Stage, "note"> {
  rounds: number;
  only: RegExp;
  note(where: string): (text: string) => void;
}

/** Lets all faults strike: those of servers in a random order on a lane for each server, those of PostgreSQL beside them. */
async function strikeAll({ rounds, only, note, ...stage }: Striking): Promise<void> {
  const { cluster, random } = stage;
  const draw = <T extends { name: string }>(faults: readonly T[]) =>
    shuffled(
      random,
      faults.filter(({ name }) => only.test(name)),
    );
  const rounded = <T>(round: () => T[]) => Array.from({ length: rounds }, round).flat();
  const all = rounded(() => [...draw(GENTLE_FAULTS), ...draw(ROUGH_FAULTS)]).reverse();
  const lanes = cluster.servers.map(async (server) => {
    const told = { ...stage, note: note(`server ${server.number}`) };
    for (let fault = all.pop(); fault; fault = all.pop()) {
      await fault.strike(told, server);
      await server.revive();
    }
  });
  const laneOfDatabase = (async () => {
    for (const fault of rounded(() => draw(DATABASE_FAULTS))) {
      await delay(2000 + random.below(4000));
      note("PostgreSQL")(fault.name);
      await fault.strike({ ...stage, note: note("PostgreSQL") });
    }
  })();
  await Promise.all([...lanes, laneOfDatabase]);
}

function shuffled<T>(random: Random, list: readonly T[]): T[] {
  return list
    .map((one) => ({ one, at: random.below(2 ** 30) }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one);
}

/** Waits until everything has ended, and reads what is stored and what is left. */
async function record(
  cluster: Cluster,
  caller: Caller,
  workload: Workload,
  { notes, load }: { notes: string; load: Load },
): Promise<History> {
  const { servers } = cluster;
  const { submissions, kills } = caller;
  const tasks = submissions.map(({ task }) => task);
  await untilNone(async () => {
    const [row] = await cluster.sql<{ open: number }[]>`
      SELECT count(*)::integer AS open FROM tasks WHERE end_time IS NULL`.catch(() => []);
    return row?.open ?? Number.POSITIVE_INFINITY;
  });
  const openWatches = () => workload.watches.filter((one) => !hasEnd(one)).length;
  const openAll = () => workload.watchesOfAll.filter((one) => !hasAll(tasks)(one)).length;
  await untilNone(() => openWatches() + openAll());
  await workload.stopWatching();
  const finals: Final[] = [];
  const stored: Watch[] = [];
  const read = async (task: string) => {
    const answers = await Promise.all(servers.map((server) => caller.final(task, server)));
    finals.push(...answers);
    if (answers.every(({ status }) => isFinal(status))) stored.push(await readStored(task, caller));
  };
  for (let at = 0; at < tasks.length; at += READERS)
    await Promise.all(tasks.slice(at, at + READERS).map(read));
  return {
    submissions,
    kills,
    watches: workload.watches,
    watchesOfAll: workload.watchesOfAll,
    stored,
    finals,
    programs: await readPrograms(notes),
    written: await readWritten(notes, tasks),
    limits: limitsOf(load),
    left: await leftOf(cluster, tasks),
  };
}

/** Waits until a number is 0, as long as it falls. */
async function untilNone(count: () => number | Promise<number>): Promise<void> {
  let least = Number.POSITIVE_INFINITY;
  for (let isFalling = true; isFalling && least > 0; )
    isFalling = await within(CALM_MS, async () => {
      const now = await count();
      const falls = now < least;
      least = Math.min(least, now);
      return falls;
    });
}

const hasEnd = ({ seen }: Watch) => seen.at(-1)?.kind === "end";

const hasAll =
  (tasks: readonly string[]) =>
  ({ changes }: History["watchesOfAll"][number]) => {
    const ended = new Set(changes.filter(({ status }) => isFinal(status)).map(({ task }) => task));
    return tasks.every((task) => ended.has(task));
  };

async function readStored(task: string, caller: Caller): Promise<Watch> {
  const watched: Watch = { task, watcher: "late", seen: [] };
  const signal = AbortSignal.timeout(CALM_MS);
  await watch(watched, { caller, random: createRandom(0), isRestless: false, signal });
  return watched;
}

async function readPrograms(notes: string): Promise<History["programs"]> {
  const text = await readFile(join(notes, "programs"), "utf8").catch(() => "");
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      const [what, task = ""] = line.split(" ");
      return { task, what: what === "begin" ? "begin" : "end" };
    });
}

async function readWritten(notes: string, tasks: readonly string[]): Promise<Map<string, Written>> {
  const written = new Map<string, Written>();
  const copy = (stream: number, task: string) =>
    readFile(join(notes, `${stream}.${task}`), "latin1").catch(() => "");
  for (const task of tasks) written.set(task, { stdout: await copy(1, task), stderr: await copy(2, task) });
  return written;
}

/** Returns what is left of ended tasks, after the servers had time to remove it. */
async function leftOf({ servers }: Cluster, tasks: readonly string[]): Promise<string[]> {
  const folders = () =>
    tasks
      .flatMap((task) => servers.map(({ service }) => join(service.dataDir, "tasks", task)))
      .filter(existsSync);
  const processes = () =>
    tasks.flatMap((task) => aliveOf({ name: nameOf(task) }).map((pid) => `${pid} of ${task}`));
  await untilNone(() => folders().length);
  return [
    ...folders().map((folder) => `folder ${folder} is left`),
    ...processes().map((process) => `process ${process} is left`),
  ];
}
