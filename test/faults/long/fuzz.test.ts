import { randomInt } from "node:crypto";
import { createWriteStream } from "node:fs";
import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TaskService } from "../../../gen/signalman/v1/task_service_pb.ts";
import { createFuzzer, errorsOf } from "../../fuzz/fuzz.ts";
import { type Inspector, inspect } from "../../fuzz/inspector.ts";
import { tableOf } from "../../fuzz/table.ts";
import { hasTerraform } from "../../jobs/families/terraform/project.ts";
import { openSql } from "../../rpc/support.ts";
import { startService, type TestService } from "../../support/service.ts";

/*
 * FUZZ_SEED repeats the same requests, FUZZ_FROM sets the number of the first one, and FUZZ_COUNT the number of requests.
 * Values from the service, such as ids of tasks, differ in each run; a finding has the request as it was sent.
 * FUZZ_SNAPSHOT names a folder for a heap snapshot at the end.
 */
const COUNT = Number(process.env.FUZZ_COUNT ?? 100_000);
/** Number of requests that fill pools, caches and compiled code, whose memory stays in use. */
const WARM_UP = 2000;
/** Number of times that the server is left idle and inspected. */
const STEPS = 10;
const MIB = 2 ** 20;
/**
 * Allowed growth of the heap. 98,000 requests made it grow by 5 MiB, at a falling rate: compiled code, and statements that
 * connections keep prepared. A watch that was not released made it grow by a hundred.
 */
const HEAP_MARGIN = 16 * MIB;
/**
 * Allowed growth of resident memory. It grew by 34 MiB, most of it in the first 20,000 requests: the allocator keeps the
 * memory of many concurrent requests.
 */
const RSS_MARGIN = 96 * MIB;
const ACTIVE = [
  "WAITING",
  "STARTING",
  "RUNNING",
  "WAITING_CONFIRMATION",
  "CONFIRMED",
  "REJECTED",
  "STOPPING",
];
/** Number of requests after which each RPC has very probably succeeded once. */
const ENOUGH = 20_000;
/** Methods that only succeed for a task with a plan. */
const OF_PLANS = ["ConfirmTask", "GetTaskPlan", "RejectTask"].map((rpc) => `TaskService/${rpc}`);

let service: TestService;
let inspector: Inspector;
let tasks: Client<typeof TaskService>;
beforeAll(async () => {
  service = await startService({ execArgv: ["--inspect=127.0.0.1:0"], readable: true });
  inspector = await inspect(service);
  tasks = service.client(TaskService);
});
afterAll(async () => {
  inspector?.[Symbol.dispose]();
  await service?.[Symbol.asyncDispose]();
});

test(`${COUNT} random requests to every RPC: documented codes only, and nothing of them stays`, {
  timeout: 3_600_000,
}, async () => {
  const seed = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31));
  console.log(`FUZZ_SEED=${seed}`);
  const fuzzer = await createFuzzer(service, { seed, from: Number(process.env.FUZZ_FROM ?? 0) });
  const { findings, counts } = fuzzer.outcome;
  await fuzzer.run(Math.min(COUNT, WARM_UP));
  const before = await look();
  console.log(`after the first ${WARM_UP}: ${textOf(before)}`);
  let after = before;
  const step = Math.ceil((COUNT - WARM_UP) / STEPS);
  for (let sent = WARM_UP; sent < COUNT; sent += step) {
    await fuzzer.run(step);
    after = await look();
    console.log(`${step} later: ${textOf(after)}; ${findings.length} findings`);
  }
  console.log(tableOf(counts));
  await keepSnapshot();
  expect({ findings, causes: errorsOf(service) }).toEqual({ findings: [], causes: [] });
  const never = fuzzer.rpcs.filter((rpc) => !counts.get(rpc)?.has("OK"));
  if (COUNT >= ENOUGH) expect(never).toEqual(hasTerraform() ? [] : OF_PLANS);
  await expect.poll(descriptors, { timeout: 60_000 }).toEqual(before.descriptors);
  expect(after.heap - before.heap).toBeLessThan(HEAP_MARGIN);
  expect(after.rss - before.rss).toBeLessThan(RSS_MARGIN);
});

interface Look {
  heap: number;
  rss: number;
  descriptors: Record<string, number>;
}

/** Inspects the idle server. */
async function look(): Promise<Look> {
  await quiet();
  const heap = await inspector.heapUsed();
  return { heap, rss: await rss(), descriptors: await descriptors() };
}

function textOf({ heap, rss, descriptors }: Look): string {
  const megabytes = (bytes: number) => `${(bytes / MIB).toFixed(1)} MB`;
  const open = Object.values(descriptors).reduce((sum, n) => sum + n, 0);
  return `heap ${megabytes(heap)}, RSS ${megabytes(rss)}, ${open} descriptors`;
}

/** Resolves when no task is left that has not ended. */
async function quiet(): Promise<void> {
  const active = async () => {
    const pages = ACTIVE.map((status) =>
      tasks.listTasks({ parent: "projects/-", filter: `status = ${status}`, pageSize: 1000 }),
    );
    return (await Promise.all(pages)).flatMap((page) => page.tasks.map(({ name }) => name));
  };
  for (const name of await active()) await tasks.killTask({ name, force: true });
  await expect.poll(active, { timeout: 300_000 }).toEqual([]);
}

/** Returns the number of open descriptors of the server by kind, without those of its pools, which grow on demand. */
async function descriptors(): Promise<Record<string, number>> {
  const folder = `/proc/${service.process.pid}/fd`;
  const kinds: Record<string, number> = {};
  for (const fd of await readdir(folder)) {
    const target = await readlink(`${folder}/${fd}`).catch(() => "");
    const kind = target.replace(/:\[\d+\]$/, "").replace(service.dataDir, "");
    if (kind) kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  return { ...kinds, socket: (kinds.socket ?? 0) - (await connections()) };
}

/** Returns the number of connections to the server's database. */
async function connections(): Promise<number> {
  const sql = openSql(service);
  const [row] = await sql<{ count: number }[]>`
    SELECT count(*)::int FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'signalman %'`;
  await sql.end();
  return row?.count ?? 0;
}

async function rss(): Promise<number> {
  const status = await readFile(`/proc/${service.process.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

/** Writes a heap snapshot, in which DevTools show what keeps memory in use. */
async function keepSnapshot(): Promise<void> {
  const folder = process.env.FUZZ_SNAPSHOT;
  if (!folder) return;
  const file = createWriteStream(join(folder, "fuzz.heapsnapshot"));
  await inspector.snapshot((piece) => void file.write(piece));
  await new Promise<void>((done) => file.end(done));
}
