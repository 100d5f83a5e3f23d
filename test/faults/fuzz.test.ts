import { randomInt } from "node:crypto";
import { readdir, readFile, readlink } from "node:fs/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { createFuzzer, errorsOf } from "../fuzz/fuzz.ts";
import { startService, type TestService } from "../helpers/service.ts";

const COUNT = Number(process.env.FUZZ_COUNT ?? 100_000);
/** What fills pools and caches, which stay. */
const WARM_UP = 3000;
/** The heap breathes; a leak of a few hundred bytes a request would still be seen. */
const RSS_MARGIN = 120 * 2 ** 20;
const ACTIVE = ["WAITING", "STARTING", "RUNNING", "STOPPING"];

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service[Symbol.asyncDispose]());

it(`${COUNT} random requests to every RPC: documented codes only, and nothing of them stays`, {
  timeout: 3_600_000,
}, async () => {
  const seed = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31));
  console.log(`FUZZ_SEED=${seed}`);
  const fuzzer = await createFuzzer(service, seed);
  const first = await fuzzer.run(WARM_UP);
  await quiet();
  const before = { fds: await descriptors(), rss: await rss() };
  const { findings, counts } = await fuzzer.run(COUNT);
  console.log(
    [...counts]
      .sort()
      .map((entry) => entry.join(" "))
      .join("\n"),
  );
  expect([...first.findings, ...findings]).toEqual([]);
  expect(errorsOf(service)).toEqual([]);
  await quiet();
  await expect.poll(descriptors, { timeout: 60_000 }).toEqual(before.fds);
  const grown = (await rss()) - before.rss;
  console.log(`RSS ${toMb(before.rss)} MB before, ${toMb(before.rss + grown)} MB after`);
  expect(grown).toBeLessThan(RSS_MARGIN);
});

const toMb = (bytes: number) => Math.round(bytes / 2 ** 20);

/** Resolves when no task is left that has not ended. */
async function quiet(): Promise<void> {
  const tasks = service.client(TaskService);
  const active = async () => {
    const pages = ACTIVE.map((status) =>
      tasks.listTasks({ parent: "projects/-", filter: `status = ${status}` }),
    );
    return (await Promise.all(pages)).flatMap((page) => page.tasks.map(({ name }) => name));
  };
  for (const name of await active()) await tasks.killTask({ name, force: true });
  await expect.poll(active, { timeout: 300_000 }).toEqual([]);
}

/** How many descriptors of each kind the server has open. */
async function descriptors(): Promise<Record<string, number>> {
  const folder = `/proc/${service.process.pid}/fd`;
  const kinds: Record<string, number> = {};
  for (const fd of await readdir(folder)) {
    const target = await readlink(`${folder}/${fd}`).catch(() => "");
    const kind = target.replace(/:\[\d+\]$/, "").replace(service.dataDir, "");
    if (kind) kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  return kinds;
}

async function rss(): Promise<number> {
  const status = await readFile(`/proc/${service.process.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}
