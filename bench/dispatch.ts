import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { benchClient } from "./client.ts";
import { percentile, type Row, ratio } from "./measure.ts";
import { applyScripts, type BenchServer } from "./server.ts";

const SCRIPT = "echo hello\n";
const ROUNDS = 200;
const WARM_UP = 20;

/** (a) Measures RunTask to the program's first line at a watcher, beside starting the same script directly. */
export async function benchDispatch(server: BenchServer): Promise<Row[]> {
  await applyScripts(server, { hello: SCRIPT });
  const script = join(server.dataDir, "hello.sh");
  await writeFile(script, SCRIPT);
  const client = benchClient(server.url);
  const floor: number[] = [];
  const service: number[] = [];
  // In turns, so that a change of the machine's speed affects both.
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    const alone = await spawnToFirstByte(script);
    const served = await runToFirstLine(client);
    if (round < 0) continue;
    floor.push(alone);
    service.push(served);
  }
  client.close();
  const [f50, f99, o50, o99] = [
    percentile(floor, 50),
    percentile(floor, 99),
    percentile(service, 50),
    percentile(service, 99),
  ];
  return [
    { part: "a", what: "spawn to first byte, p50", value: f50, unit: "ms" },
    { part: "a", what: "spawn to first byte, p99", value: f99, unit: "ms" },
    { part: "a", what: "RunTask to first line, p50", value: o50, unit: "ms" },
    { part: "a", what: "RunTask to first line, p99", value: o99, unit: "ms" },
    ratio("a", "dispatch p50 / spawn p50", o50 / f50, "≤", 5),
    ratio("a", "dispatch p99 / spawn p50", o99 / f50, "≤", 15),
  ];
}

async function spawnToFirstByte(script: string): Promise<number> {
  const start = performance.now();
  const child = spawn("bash", [script], { stdio: ["ignore", "pipe", "ignore"] });
  await once(child.stdout, "data");
  const ms = performance.now() - start;
  await once(child, "close");
  return ms;
}

/** Milliseconds from RunTask to the first line of the task's program. */
export async function runToFirstLine(client: ReturnType<typeof benchClient>): Promise<number> {
  const start = performance.now();
  const { task } = await client.runTask({ template: "projects/bench/templates/hello" });
  let ms = Number.NaN;
  for await (const event of client.watchTask(task.name) as AsyncIterable<{
    log?: { lines: { stream: string | number }[] };
  }>) {
    const isOutput = event.log?.lines.some(
      (line) => line.stream === 1 || line.stream === "LOG_STREAM_STDOUT",
    );
    if (Number.isNaN(ms) && isOutput) ms = performance.now() - start;
  }
  return ms;
}
