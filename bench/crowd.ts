import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { benchClient } from "./client.ts";
import { fanOut, writeFanoutScript } from "./fanout.ts";
import { type Row, ratio } from "./measure.ts";
import type { BenchServer } from "./server.ts";

const WATCHERS = 1000;
const IDLE = 10_000;
/** Streams on one connection: a proxy or a service with many users has about as many. */
const PER_CONNECTION = 100;

/** (g) Measures a thousand watchers of one task, and the memory of ten thousand idle ones. */
export async function benchCrowd(server: BenchServer): Promise<Row[]> {
  const lines = 5000;
  await writeFanoutScript(server, lines);
  const crowd = await fanOut(server, {
    lines,
    watchers: WATCHERS,
    stalled: 0,
    perConnection: PER_CONNECTION,
  });
  const idle = await idleBytes(server);
  return [
    { part: "g", what: `${WATCHERS} watchers`, value: crowd.rate, unit: "deliveries/s" },
    { part: "g", what: `${IDLE.toLocaleString("en")} idle watchers, each`, value: idle, unit: "KB" },
    ratio("g", `${WATCHERS} watchers`, crowd.rate, "≥", 500_000, "deliveries/s"),
    ratio("g", "an idle watcher", idle, "≤", 80, "KB"),
  ];
}

/** Resident memory, in KB, that each further watcher of a silent task costs. */
async function idleBytes(server: BenchServer): Promise<number> {
  const client = benchClient(server.url);
  const go = join(server.dataDir, "go-idle");
  const { task } = await client.runTask({ template: "projects/bench/templates/fanout", env: { GO: go } });
  const before = server.usage().rss;
  const clients = Array.from({ length: IDLE / PER_CONNECTION }, () => benchClient(server.url));
  for (const each of clients) {
    const streams = Array.from({ length: PER_CONNECTION }, () => each.countTask(task.name));
    // After the snapshot a silent task sends nothing but heartbeats.
    await Promise.all(streams.map((stream) => once(stream, "data")));
    for (const stream of streams) stream.on("error", () => {});
  }
  const after = server.usage().rss;
  for (const each of clients) each.close();
  client.close();
  await writeFile(go, "");
  return ((after - before) * 1024) / IDLE;
}
