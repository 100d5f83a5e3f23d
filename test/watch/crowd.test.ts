import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import http2 from "node:http2";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LogStream } from "../../gen/signalman/v1/task_pb.ts";
import {
  TaskService,
  WatchTaskRequestSchema,
  type WatchTaskResponse,
  WatchTaskResponseSchema,
} from "../../gen/signalman/v1/task_service_pb.ts";
import { applyDemo } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { collect, expectOrder, flatten, lastCase, linesOf, watch } from "./events.ts";
import { PUPPET, runPuppet } from "./puppet.ts";

let service: TestService;
beforeAll(async () => {
  service = await startService();
  await applyDemo(service, { puppet: { script: PUPPET, allowParallelTasks: true } });
});
afterAll(() => service[Symbol.asyncDispose]());

/** Returns the resident memory of the server in MiB. */
const memoryOf = () =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${service.process.pid}/status`, "utf8"))?.[1]) / 1024;

const MIB = 1024 * 1024;

/** Opens a raw gRPC call whose response is not read until `rest` is called: its window of 64 KiB stays full. */
async function stalledWatch(name: string) {
  const session = http2.connect(service.url, { settings: { initialWindowSize: 65_535 } });
  const stream = session.request({
    ":method": "POST",
    ":path": "/signalman.v1.TaskService/WatchTask",
    "content-type": "application/grpc",
    te: "trailers",
  });
  const body = toBinary(WatchTaskRequestSchema, create(WatchTaskRequestSchema, { name }));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  stream.end(Buffer.concat([head, body]));
  await new Promise((resolve) => stream.once("response", resolve));
  return {
    async rest(): Promise<WatchTaskResponse[]> {
      const bytes = Buffer.concat(await stream.toArray());
      session.close();
      return messagesIn(bytes);
    },
  };
}

/** Splits gRPC's length-prefixed messages. */
function messagesIn(bytes: Buffer): WatchTaskResponse[] {
  const found: WatchTaskResponse[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    found.push(fromBinary(WatchTaskResponseSchema, bytes.subarray(at + 5, end)));
    at = end;
  }
  return found;
}

/** Returns a digest of the messages of a watch, computed as they arrive. */
async function digest(events: AsyncIterable<WatchTaskResponse>): Promise<string> {
  const hash = createHash("sha256");
  for await (const event of events) for (const entry of flatten([event])) hash.update(`${entry}\n`);
  return hash.digest("hex");
}

test("200 watchers of one task get the same messages, and one that reads late loses none", async () => {
  const task = await runPuppet(service, "puppet");
  const stalled = await stalledWatch(task.name);
  const sessions = Array.from({ length: 10 }, () =>
    createClient(TaskService, createGrpcTransport({ baseUrl: service.url })),
  );
  const crowd = Array.from({ length: 198 }, (_, i) =>
    digest((sessions[i % 10] ?? service.client(TaskService)).watchTask(task)),
  );
  const live = watch(service, task);
  await live.status("RUNNING");
  // Far more than the window of the watcher that does not read.
  await task.do(`seq -f 'line %g of a task that many want to see ${".".repeat(800)}' 400; exit 3`);
  await live.done;
  const digests = await Promise.all(crowd);
  const late = await collect(service, task);
  expect(new Set(digests)).toEqual(new Set([await digest(live.events as never)]));
  expect(flatten(live.events)).toEqual(flatten(late));
  expect(flatten(await stalled.rest())).toEqual(flatten(late));
});

test("a watcher that never reads costs the server no memory, however much the task prints", async () => {
  const task = await runPuppet(service, "puppet");
  const stalled = await stalledWatch(task.name);
  const live = watch(service, { ...task, logs: false });
  const print = (size: string) => `yes "$(head -c 4000 /dev/zero | tr '\\0' x)" | head -c ${size}; echo`;
  await live.status("RUNNING");
  // By then a flood has warmed up the server's memory.
  const warm = watch(service, { ...task, streams: [LogStream.STDERR] });
  await task.do(`${print("64M")}; echo warm >&2`);
  await warm.line("warm");
  const before = memoryOf();
  await task.do(`${print("256M")}; exit`);
  await live.done;
  // Less than the unsent output: the garbage that a flood leaves depends on the machine.
  expect(memoryOf() - before).toBeLessThan(256);
  const events = await stalled.rest();
  expectOrder(events);
  expect(lastCase(events)).toBe("end");
  expect(linesOf(events).reduce((sum, { content }) => sum + content.length + 1, 0)).toBeGreaterThan(
    320 * MIB,
  );
});
