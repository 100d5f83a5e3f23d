import type { MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LogStream } from "../../../gen/signalman/v1/task_pb.ts";
import {
  LogFormat,
  type ReadTaskLogRequestSchema,
  TaskService,
} from "../../../gen/signalman/v1/task_service_pb.ts";
import { TRANSPORTS } from "../../http/clients.ts";
import { applyDemo, runDemo } from "../../support/demo.ts";
import { startService, type TestService } from "../../support/service.ts";
import { collect, linesOf, watch } from "../../watch/events.ts";
import { PUPPET, type Puppet, runPuppet } from "../../watch/puppet.ts";
import { refusal } from "../support.ts";

const { STDOUT, STDERR, SYSTEM } = LogStream;
type Init = MessageInitShape<typeof ReadTaskLogRequestSchema>;

let service: TestService;
let task: Puppet;
/** The whole log, as WatchTask sent it. */
let log: ReturnType<typeof linesOf>;
beforeAll(async () => {
  service = await startService();
  await applyDemo(service, {
    puppet: { script: PUPPET, allowParallelTasks: true },
    bytes: "printf '\\033[1;31mred\\033[0m\\n\\033]0;title\\007plain\\r\\n\\033(Bg\\n\\xff\\0end'; exit 0",
    big: "for i in 1 2 3 4; do head -c 400000 /dev/zero | tr '\\0' $i; echo; done",
    silent: "exit 0",
  });
  task = await runPuppet(service, "puppet");
  const live = watch(service, task);
  for (let i = 1; i <= 5; i++) {
    await task.do(`echo out ${i}; echo err ${i} >&2; seq ${i}00; echo end ${i}`);
    await live.line(`end ${i}`);
  }
  await task.do("exit");
  log = linesOf(await live.done);
});
afterAll(() => service[Symbol.asyncDispose]());

const read = (request: Init = {}) => service.client(TaskService).readTaskLog({ name: task.name, ...request });
const behind = (seq: number): Init => ({ start: { case: "afterSeq", value: BigInt(seq) } });
const tail = (lines: number): Init => ({ start: { case: "tailLines", value: lines } });
const LAST = 1516n;

test("ReadTaskLog returns the log as WatchTask sent it, 1000 lines by default", async () => {
  expect(BigInt(log.length)).toBe(LAST);
  const first = await read();
  expect(first.lines).toEqual(log.slice(0, 1000));
  expect(first).toMatchObject({ nextAfterSeq: 1000n, lastSeq: LAST, complete: false });
  const second = await read(behind(1000));
  expect(second.lines).toEqual(log.slice(1000));
  expect(second).toMatchObject({ nextAfterSeq: LAST, lastSeq: LAST, complete: true });
});

describe("a range", () => {
  test.each([
    [0, 1],
    [0, 10_000],
    [7, 5],
    [99, 1],
    [1515, 3],
    [1516, 3],
    [5000, 3],
  ])("after line %d of at most %d lines", async (seq, maxLines) => {
    const page = await read({ ...behind(seq), maxLines });
    const expected = log.slice(seq, seq + maxLines);
    expect(page.lines).toEqual(expected);
    const next = expected.at(-1)?.seq ?? BigInt(seq);
    expect(page.nextAfterSeq).toBe(next > LAST ? BigInt(seq) : next);
    expect(page.complete).toBe(next >= LAST);
  });

  test("of some streams continues after its last line", async () => {
    const wanted = log.filter(({ stream }) => stream === STDERR);
    const first = await read({ streams: [STDERR], maxLines: 2 });
    expect(first.lines).toEqual(wanted.slice(0, 2));
    expect(first).toMatchObject({ nextAfterSeq: wanted[1]?.seq, complete: false });
    const rest = await read({ streams: [STDERR], ...behind(Number(first.nextAfterSeq)) });
    expect(rest.lines).toEqual(wanted.slice(2));
    expect(rest).toMatchObject({ nextAfterSeq: LAST, complete: true });
  });
});

test("after_seq of the largest 64-bit number returns no lines", async () => {
  const page = await read({ start: { case: "afterSeq", value: 2n ** 63n - 1n } });
  expect(page).toMatchObject({ lines: [], lastSeq: LAST, complete: true });
});

test.each<[number, LogStream[]]>([
  [1, []],
  [10, []],
  [1516, []],
  [1_000_000, []],
  [3, [STDERR]],
  [6, [STDERR]],
  [1, [SYSTEM]],
  [12, [STDERR, SYSTEM]],
])("a tail of %d lines of streams %j", async (lines, streams) => {
  const wanted = log.filter(({ stream }) => streams.length === 0 || streams.includes(stream));
  const page = await read({ ...tail(lines), streams, maxLines: 10_000 });
  expect(page.lines).toEqual(wanted.slice(-lines));
  expect(page).toMatchObject({ nextAfterSeq: LAST, complete: true });
});

test("a log is complete only when its task has ended", async () => {
  const running = await runPuppet(service, "puppet");
  const live = watch(service, running);
  await running.do("echo x");
  await live.line("x");
  const sofar = await read(running);
  expect(sofar).toMatchObject({ nextAfterSeq: 2n, lastSeq: 2n, complete: false });
  await running.do("exit");
  await live.done;
  expect(await read({ ...running, ...behind(2) })).toMatchObject({
    lines: [],
    nextAfterSeq: 2n,
    complete: true,
  });
});

describe("the format TEXT", () => {
  const text = async (format: LogFormat, more: Init = {}) =>
    Buffer.from((await read({ format, ...more })).text).toString("latin1");

  test("returns the program's output byte for byte, PLAIN_TEXT without escape codes", async () => {
    const { name } = await runDemo(service, "bytes");
    await collect(service, { name });
    const of = { name, streams: [STDOUT] };
    expect(await text(LogFormat.TEXT, of)).toBe(
      "\x1b[1;31mred\x1b[0m\n\x1b]0;title\x07plain\r\n\x1b(Bg\n\xff\0end",
    );
    expect(await text(LogFormat.PLAIN_TEXT, of)).toBe("red\nplain\r\ng\n\xff\0end");
    expect((await read({ ...of, format: LogFormat.TEXT })).lines).toEqual([]);
    expect((await read(of)).text).toHaveLength(0);
  });

  test("is paged like lines", async () => {
    const { text: first, nextAfterSeq } = await read({
      streams: [STDERR],
      maxLines: 2,
      format: LogFormat.TEXT,
    });
    expect(Buffer.from(first).toString()).toBe("err 1\nerr 2\n");
    const rest = { streams: [STDERR], ...behind(Number(nextAfterSeq)) };
    expect(await text(LogFormat.TEXT, rest)).toBe("err 3\nerr 4\nerr 5\n");
  });
});

describe.each(Object.entries(TRANSPORTS))("%s", (_, transport) => {
  test("returns the same lines and text, also a page of a megabyte", async () => {
    const { name } = await runDemo(service, "big");
    const stdout = linesOf(await collect(service, { name })).filter(({ stream }) => stream === STDOUT);
    const client = createClient(TaskService, transport(service.url));
    const request = { name, streams: [STDOUT], maxLines: 10_000 };
    const { lines } = await client.readTaskLog(request);
    expect(lines.length).toBeGreaterThan(60);
    expect(lines).toEqual(stdout.slice(0, lines.length));
    for (const format of [LogFormat.TEXT, LogFormat.PLAIN_TEXT]) {
      const page = await client.readTaskLog({ ...request, format });
      const written = stdout
        .filter(({ seq }) => seq <= page.nextAfterSeq)
        .flatMap(({ content, partial }) => (partial ? [content] : [content, Buffer.from("\n")]));
      expect(Buffer.from(page.text).equals(Buffer.concat(written))).toBe(true);
    }
  });
});

test("a response holds at most 1 MiB, and the next page continues after it", async () => {
  const { name } = await runDemo(service, "big");
  const whole = linesOf(await collect(service, { name })).filter(({ stream }) => stream === STDOUT);
  const pages: Uint8Array[] = [];
  let complete = false;
  for (let seq = 0; !complete; ) {
    const page = await read({ name, ...behind(seq), streams: [STDOUT], maxLines: 10_000 });
    const bytes = page.lines.reduce((sum, { content }) => sum + content.length, 0);
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThanOrEqual(1024 * 1024);
    pages.push(...page.lines.map(({ content }) => content));
    complete = page.complete;
    seq = Number(page.nextAfterSeq);
  }
  expect(Buffer.concat(pages).equals(Buffer.concat(whole.map(({ content }) => content)))).toBe(true);
  expect(Buffer.concat(pages)).toHaveLength(1_600_000);
});

test("a task without output has only lines of the service, and an unknown task answers NOT_FOUND", async () => {
  const { name } = await runDemo(service, "silent");
  await collect(service, { name });
  expect(await read({ name, streams: [STDOUT, STDERR] })).toMatchObject({ lines: [], complete: true });
  expect(await refusal(read({ name: `${name.slice(0, -12)}000000000000` }))).toMatchObject({
    code: "NotFound",
  });
});
