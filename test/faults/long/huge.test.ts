import { readFileSync } from "node:fs";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { type LogLine, LogStream, type Task } from "../../../gen/signalman/v1/task_pb.ts";
import { TaskService } from "../../../gen/signalman/v1/task_service_pb.ts";
import { applyDemo, runDemo } from "../../support/demo.ts";
import { startService, type TestService } from "../../support/service.ts";
import { endOf } from "../follow.ts";
import { leavesNothing } from "../traces.ts";

const GIB = 1024 ** 3;
const LINE = 1024;
/** Maximum memory of the server, in MiB. */
const MEMORY = 300;

/** 1 GiB in lines of 1 KiB, each with its number. */
const SCRIPT = `
import os
for block in range(4096):
    data = b"".join(b"%1023d\\n" % (block * 256 + i) for i in range(256))
    while data: data = data[os.write(1, data):]`;

test("1 GiB is watched whole while a second watcher never reads, in flat memory", {
  timeout: 600_000,
}, async () => {
  await using service = await startService();
  await applyDemo(service, { huge: { script: SCRIPT, app: "python" } });
  const { name } = await runDemo(service, "huge");
  const silent = new AbortController();
  await stall(service, name, silent.signal);
  const task = await readWhole(service, name);
  expect(endOf(task).status).toBe("SUCCESS");
  expect(peakOf(service)).toBeLessThan(MEMORY);
  silent.abort();
  await leavesNothing(service, task);
});

/** A watcher on a separate connection that reads the first event and then nothing more. */
async function stall(service: TestService, name: string, signal: AbortSignal): Promise<void> {
  const client = createClient(TaskService, createGrpcTransport({ baseUrl: service.url }));
  await client.watchTask({ name }, { signal })[Symbol.asyncIterator]().next();
}

/** Reads all events and checks every byte; returns the task at its end. */
async function readWhole(service: TestService, name: string): Promise<Task> {
  const expected = new Expected();
  let seq = 0n;
  for await (const { event } of service.client(TaskService).watchTask({ name })) {
    if (event.case === "end" && event.value.task) {
      expect(expected.bytes).toBe(GIB);
      return event.value.task;
    }
    if (event.case !== "log") continue;
    for (const line of event.value.lines) {
      if (line.seq !== ++seq) throw new Error(`Line ${line.seq} came as line ${seq}`);
      if (line.stream === LogStream.STDOUT) expected.take(line);
    }
  }
  throw new Error("The watch closed without an end");
}

/** Returns the lines that the script writes. */
class Expected {
  bytes = 0;
  #line = Buffer.alloc(LINE - 1, " ");
  #number = 0;
  #at = 0;

  take({ content, partial }: LogLine): void {
    if (this.#at === 0) this.#line.write(`${this.#number}`.padStart(10), LINE - 11);
    const end = this.#at + content.length;
    if (this.#line.compare(content, 0, content.length, this.#at, end) !== 0) {
      throw new Error(`Line ${this.#number} is ${Buffer.from(content)}`);
    }
    this.bytes += content.length + (partial ? 0 : 1);
    this.#at = partial ? end : 0;
    if (!partial) this.#number++;
  }
}

/** Returns the highest memory use of the server so far, in MiB. */
function peakOf({ process }: TestService): number {
  const status = readFileSync(`/proc/${process.pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}
