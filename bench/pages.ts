import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { benchClient, type Seen } from "./client.ts";
import { floodText } from "./flood.ts";
import { type Row, ratio } from "./measure.ts";
import { applyScripts, type BenchServer } from "./server.ts";

const LINES = Number(process.env.BENCH_PAGE_LINES ?? 1_000_000);
const PAGE_LINES = 10_000;
const WINDOW = 4 * 1024 * 1024;
/** Rounds over all ways of reading: in turns, since other programs load the machine. */
const ROUNDS = 3;

type Client = ReturnType<typeof benchClient>;

/** (i) Measures a stored log read in pages by ReadTaskLog, as lines and as text, beside the same lines sent by WatchTask. */
export async function benchPages(server: BenchServer): Promise<Row[]> {
  const file = join(server.dataDir, "pages.txt");
  await writeFile(file, floodText(LINES));
  await applyScripts(server, { pages: `cat ${file}\n` });
  const client = benchClient(server.url, { window: WINDOW });
  const { task } = await client.runTask({ template: "projects/bench/templates/pages" });
  const ways: Record<string, () => Promise<void>> = {
    WatchTask: () => watchAll(client, task.name),
    "ReadTaskLog, lines": () => readAll(client, task.name, "LOG_FORMAT_LINES"),
    "ReadTaskLog, text": () => readAll(client, task.name, "LOG_FORMAT_TEXT"),
  };
  // One unmeasured round, so that the code is compiled.
  for (const read of Object.values(ways)) await read();
  const cpu: Record<string, number> = {};
  for (let round = 0; round < ROUNDS; round++) {
    for (const [what, read] of Object.entries(ways)) {
      const before = server.usage().cpu;
      await read();
      cpu[what] = (cpu[what] ?? 0) + ((server.usage().cpu - before) / LINES / ROUNDS) * 1e6;
    }
  }
  client.close();
  const of = (what: string) => cpu[what] ?? Number.NaN;
  const watched = of("WatchTask");
  return [
    ...Object.keys(ways).map((what) => ({
      part: "i",
      what: `${what}: server CPU for each stored line`,
      value: of(what),
      unit: "µs",
    })),
    ...Object.keys(ways)
      .filter((what) => what !== "WatchTask")
      .map((what) =>
        ratio("i", `${what} / WatchTask, CPU for each line`, of(what) / watched, "≤", 1.5, "times"),
      ),
  ];
}

async function watchAll(client: Client, name: string): Promise<void> {
  let lines = 0;
  for await (const seen of client.countTask(name) as AsyncIterable<Seen>) lines += seen.lines;
  if (lines < LINES) throw new Error(`Only ${lines} of ${LINES} lines arrived`);
}

async function readAll(client: Client, name: string, format: string): Promise<void> {
  let afterSeq = 0;
  for (let isComplete = false; !isComplete; ) {
    const page = await client.countPage({ name, afterSeq, maxLines: PAGE_LINES, format });
    afterSeq = page.next;
    isComplete = page.complete;
  }
  if (afterSeq < LINES) throw new Error(`Only ${afterSeq} of ${LINES} lines arrived`);
}
