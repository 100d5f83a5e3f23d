import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { TaskService } from "../gen/signalman/v1/task_service_pb.ts";
import { benchClient } from "./client.ts";
import { runToFirstLine } from "./dispatch.ts";
import { percentile, type Row, ratio } from "./measure.ts";
import { applyScripts, type BenchServer, startServer } from "./server.ts";
import { AT_ONCE, taskRate } from "./short-tasks.ts";

const ROUNDS = 100;
const WARM_UP = 10;
/** Rounds of short tasks, and the tasks of one server in a round. */
const RACES = 5;
const SHORT_TASKS = 200;
const KILLS = 5;
const PROCESSES = 1000;
const TREE = `for i in $(seq ${PROCESSES}); do sleep 1000 & done; echo ready; wait\n`;
/** A server without isolation, and one with it. */
type Servers = readonly [plain: BenchServer, isolated: BenchServer];

/** A user whom every machine has: a server that runs as root does not isolate. */
const UID = process.geteuid?.() === 0 ? 65_534 : undefined;

/**
 * (k) Measures what isolation costs: a dispatch and short tasks beside those of a server without it, and a kill by force of a tree of
 * 1,000 processes beside the end of a bare namespace with as many. Both servers have databases of their own, and take turns, so
 * that a change of the machine's speed affects both.
 */
export async function benchIsolation(): Promise<Row[]> {
  const common = { DATABASE_URL: "", SIGNALMAN_MAX_PARALLEL_TASKS: String(AT_ONCE) };
  await using plain = await startServer({ ...common, SIGNALMAN_ISOLATION: "none" }, UID);
  await using isolated = await startServer({ ...common, SIGNALMAN_ISOLATION: "namespaces" }, UID);
  const servers = [plain, isolated] as const;
  for (const server of servers) await applyScripts(server, { hello: "echo hello\n", tree: TREE });
  const [plainMs, isolatedMs] = await dispatchTimes(servers);
  const [plainRate, isolatedRate] = await shortTaskRates(servers);
  const kills: number[] = [];
  const floors: number[] = [];
  for (let round = 0; round < KILLS; round++) {
    floors.push(await bareEnd());
    kills.push(await killTree(isolated.url));
  }
  const [kill, floor] = [percentile(kills, 50), percentile(floors, 50)];
  return [
    { part: "k", what: "RunTask to first line without isolation, p50", value: plainMs, unit: "ms" },
    { part: "k", what: "RunTask to first line in namespaces, p50", value: isolatedMs, unit: "ms" },
    { part: "k", what: `tasks without isolation, ${AT_ONCE} at once`, value: plainRate, unit: "tasks/s" },
    { part: "k", what: `tasks in namespaces, ${AT_ONCE} at once`, value: isolatedRate, unit: "tasks/s" },
    { part: "k", what: "end of a namespace of 1,000 processes, p50", value: floor, unit: "ms" },
    { part: "k", what: "forced kill of a task of 1,000 processes, p50", value: kill, unit: "ms" },
    ratio("k", "dispatch in namespaces / without", isolatedMs / plainMs, "≤", 1.15),
    ratio("k", "short tasks in namespaces / without", isolatedRate / plainRate, "≥", 1),
    ratio("k", "forced kill / end of the namespace", kill / floor, "≤", 3),
  ];
}

/** Returns the median of milliseconds from RunTask to the first line, for each server. */
async function dispatchTimes(servers: Servers): Promise<[number, number]> {
  const clients = servers.map(({ url }) => benchClient(url));
  const times: [number[], number[]] = [[], []];
  for (let round = -WARM_UP; round < ROUNDS; round++)
    for (const [at, client] of clients.entries()) {
      const ms = await runToFirstLine(client);
      if (round >= 0) times[at as 0 | 1].push(ms);
    }
  for (const client of clients) client.close();
  return [percentile(times[0], 50), percentile(times[1], 50)];
}

/** Returns the median of the rates of short tasks, for each server. */
async function shortTaskRates(servers: Servers): Promise<[number, number]> {
  const rates: [number[], number[]] = [[], []];
  for (let race = 0; race < RACES; race++)
    for (const at of [0, 1] as const) rates[at].push(await taskRate(servers[at].url, SHORT_TASKS));
  return [percentile(rates[0], 50), percentile(rates[1], 50)];
}

/** Milliseconds from KillTask to the task's end. */
async function killTree(url: string): Promise<number> {
  const client = createClient(TaskService, createGrpcTransport({ baseUrl: url }));
  const { task } = await client.runTask({ template: "projects/bench/templates/tree" });
  const name = task?.name ?? "";
  let start = Number.NaN;
  for await (const { event } of client.watchTask({ name })) {
    const isReady = event.case === "log" && event.value.lines.some((line) => line.stream === 1);
    if (!isReady || !Number.isNaN(start)) continue;
    start = performance.now();
    await client.killTask({ name, force: true });
  }
  return performance.now() - start;
}

/** Milliseconds from SIGKILL to the first process of a namespace until all of its processes have ended. */
async function bareEnd(): Promise<number> {
  const how = ["--user", "--map-root-user", "--pid", "--fork", "--", "bash", "-c", TREE];
  const child = spawn("unshare", how, { stdio: ["ignore", "pipe", "ignore"] });
  await once(child.stdout, "data");
  const init = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8"));
  const start = performance.now();
  process.kill(init, "SIGKILL");
  await once(child, "exit");
  return performance.now() - start;
}
