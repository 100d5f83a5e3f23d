import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { applyDemo, runDemo } from "../helpers/demo.ts";
import { startService, type TestService } from "../helpers/service.ts";
import { endOf } from "./follow.ts";
import { leavesNothing } from "./traces.ts";

const GIB = 1024 ** 3;
/** MiB: the most that the server may ever have had in memory. */
const MEMORY = 300;

/** 1 GiB in lines of 1 KiB, each with its number. */
const SCRIPT = `
import os
for block in range(4096):
    data = b"".join(b"%1023d\\n" % (block * 256 + i) for i in range(256))
    while data: data = data[os.write(1, data):]`;

test("1 GiB is watched whole while a second watcher never reads, in flat memory", {
  timeout: 180_000,
}, async () => {
  await using service = await startService();
  await applyDemo(service, { huge: { script: SCRIPT, app: "python" } });
  const { name } = await runDemo(service, "huge");
  const silent = new AbortController();
  await stall(service, name, silent.signal);
  const { hash, bytes, task } = await digest(service, name);
  expect(bytes).toBe(GIB);
  expect(hash).toBe(expectedDigest());
  expect(endOf(task).status).toBe("SUCCESS");
  expect(peakOf(service)).toBeLessThan(MEMORY);
  silent.abort();
  await leavesNothing(service, task);
});

/** A watcher on a connection of its own that takes the first event and then nothing more. */
async function stall(service: TestService, name: string, signal: AbortSignal): Promise<void> {
  const client = createClient(TaskService, createGrpcTransport({ baseUrl: service.url }));
  await client.watchTask({ name }, { signal })[Symbol.asyncIterator]().next();
}

async function digest(service: TestService, name: string) {
  const hash = createHash("sha256");
  let bytes = 0;
  let seq = 0n;
  for await (const { event } of service.client(TaskService).watchTask({ name })) {
    if (event.case === "end" && event.value.task)
      return { hash: hash.digest("hex"), bytes, task: event.value.task };
    if (event.case !== "log") continue;
    for (const line of event.value.lines) {
      if (line.seq !== ++seq) throw new Error(`Line ${line.seq} came as line ${seq}`);
      if (line.stream !== 1) continue;
      hash.update(line.content).update(line.partial ? "" : "\n");
      bytes += line.content.length + (line.partial ? 0 : 1);
    }
  }
  throw new Error("The watch closed without an end");
}

function expectedDigest(): string {
  const hash = createHash("sha256");
  for (let line = 0; line < GIB / 1024; line++) hash.update(`${line}`.padStart(1023)).update("\n");
  return hash.digest("hex");
}

/** MiB of memory that the server had at most. */
function peakOf({ process }: TestService): number {
  const status = readFileSync(`/proc/${process.pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}
