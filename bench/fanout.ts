import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { benchClient, type Seen } from "./client.ts";
import { floodText } from "./flood.ts";
import { type Row, ratio } from "./measure.ts";
import { applyScripts, type BenchServer } from "./server.ts";

const LINES = 200_000;
const WATCHERS = 100;
/** Watchers on one connection: few, as a process that fans out has them. */
const PER_CONNECTION = 25;

/** (c) Measures 100 watchers of one task, first alone and then with one more that stalls. */
export async function benchFanout(server: BenchServer): Promise<Row[]> {
  const crowd = { lines: LINES, watchers: WATCHERS, perConnection: PER_CONNECTION };
  await writeFanoutScript(server, LINES);
  const all = await fanOut(server, { ...crowd, stalled: 0 });
  const stalled = await fanOut(server, { ...crowd, stalled: 1 });
  return [
    { part: "c", what: `${WATCHERS} watchers`, value: all.rate, unit: "deliveries/s" },
    { part: "c", what: "server CPU for each delivery", value: all.cpuMicros, unit: "µs" },
    { part: "c", what: `${WATCHERS} watchers and a stalled one`, value: stalled.rate, unit: "deliveries/s" },
    { part: "c", what: "server's highest memory", value: server.usage().peak, unit: "MB" },
    ratio("c", `${WATCHERS} watchers`, all.rate, "≥", 800_000, "deliveries/s"),
    ratio("c", "with one stalled / without", stalled.rate / all.rate, "≥", 0.8, "of the rate"),
  ];
}

/** Creates template `fanout`, which prints `lines` lines as soon as the file `$GO` exists. */
export async function writeFanoutScript(server: BenchServer, lines: number): Promise<void> {
  const file = join(server.dataDir, "fanout.txt");
  await writeFile(file, floodText(lines));
  await applyScripts(server, { fanout: `until [ -e "$GO" ]; do sleep 0.05; done; cat ${file}\n` });
}

interface Crowd {
  lines: number;
  watchers: number;
  /** Number of further watchers that open the stream and never read. */
  stalled: number;
  perConnection: number;
}

/** Returns the deliveries per second and the server CPU per delivery, in microseconds. */
export async function fanOut(
  server: BenchServer,
  { lines, watchers, stalled, perConnection }: Crowd,
): Promise<{ rate: number; cpuMicros: number }> {
  const go = join(server.dataDir, `go-${watchers}-${stalled}`);
  const clients = Array.from({ length: Math.ceil(watchers / perConnection) + stalled }, () =>
    benchClient(server.url),
  );
  const [first] = clients;
  if (!first) throw new Error("No client");
  const { task } = await first.runTask({ template: "projects/bench/templates/fanout", env: { GO: go } });
  for (const client of clients.slice(clients.length - stalled)) stall(client, task.name);
  const ready: Promise<void>[] = [];
  const watches = Array.from({ length: watchers }, (_, i) => {
    const client = clients[Math.floor(i / perConnection)] ?? first;
    const { promise, resolve } = Promise.withResolvers<void>();
    ready.push(promise);
    return countLines(client.countTask(task.name) as AsyncIterable<Seen>, resolve);
  });
  await Promise.all(ready);
  const before = server.usage();
  const start = performance.now();
  await writeFile(go, "");
  const counts = await Promise.all(watches);
  const seconds = (performance.now() - start) / 1000;
  const total = counts.reduce((sum, n) => sum + n, 0);
  if (total < lines * watchers) throw new Error(`Only ${total} of ${lines * watchers} lines were delivered`);
  const cpuMicros = ((server.usage().cpu - before.cpu) / total) * 1e6;
  for (const client of clients) client.close();
  return { rate: total / seconds, cpuMicros };
}

/** Opens a stream and never reads it. */
function stall(client: ReturnType<typeof benchClient>, name: string): void {
  const stream = client.countTask(name);
  stream.on("error", () => {}); // closed with its client
  stream.pause();
}

async function countLines(events: AsyncIterable<Seen>, onFirst: () => void): Promise<number> {
  let lines = 0;
  for await (const seen of events) {
    onFirst();
    lines += seen.lines;
  }
  return lines;
}
