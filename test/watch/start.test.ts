import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BadRequestSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { LogStream } from "../../gen/signalman/v1/task_pb.ts";
import type { WatchTaskResponse } from "../../gen/signalman/v1/task_service_pb.ts";
import { essence } from "../http/clients.ts";
import { applyDemo } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { collect, lastCase, linesOf, statusesOf, textsOf, type WatchInit, watch } from "./events.ts";
import { PUPPET, type Puppet, runPuppet } from "./puppet.ts";

const { STDOUT, STDERR, SYSTEM } = LogStream;
let service: TestService;
let ended: Puppet;
let whole: WatchTaskResponse[];
beforeAll(async () => {
  service = await startService();
  await applyDemo(service, { puppet: { script: PUPPET, allowParallelTasks: true } });
  ended = await runPuppet(service, "puppet");
  // A log of many chunks of a few lines, and one chunk of many.
  const live = watch(service, ended);
  for (let i = 1; i <= 8; i++) {
    await ended.do(`echo out ${i}; echo err ${i} >&2; echo last of ${i}`);
    await live.line(`last of ${i}`);
  }
  await ended.do("seq 200; exit 3");
  whole = await live.done;
});
afterAll(() => service[Symbol.asyncDispose]());

/** Returns the events of a watch of the ended task. */
const tell = (request: WatchInit) => collect(service, { ...ended, ...request });
/** Returns the lines of these streams in the whole log. */
const textOf = (...streams: number[]) =>
  linesOf(whole)
    .filter(({ stream }) => streams.includes(stream))
    .map(({ seq, content }) => `${seq}:${Buffer.from(content)}`);
const ALL = [STDOUT, STDERR, SYSTEM];
const STATUSES = ["WAITING", "STARTING", "RUNNING", "ERROR"];

describe("tail_lines", () => {
  test.each([0, 1, 2, 7, 203, 210, 226, 100_000])(
    "of %d sends the last lines, all statuses and the end",
    async (n) => {
      const events = await tell({ start: { case: "tailLines", value: n } });
      const texts = textOf(...ALL);
      expect(textsOf(events)).toEqual(n === 0 ? [] : texts.slice(-n));
      expect(statusesOf(events)).toEqual(STATUSES);
      expect(lastCase(events)).toBe("end");
    },
  );

  test.each([
    [1, [STDERR]],
    [5, [STDERR]],
    [8, [STDERR]],
    [9, [STDERR]],
    [201, [STDOUT]],
    [3, [STDERR, SYSTEM]],
    [205, [STDOUT, STDERR]],
    [2, [SYSTEM]],
  ])("of %d counts lines of streams %j only", async (n, streams) => {
    const events = await tell({ start: { case: "tailLines", value: n }, streams });
    expect(textsOf(events)).toEqual(textOf(...streams).slice(-n));
    expect(lastCase(events)).toBe("end");
  });

  test("of 0 on a running task sends only later lines", async () => {
    const task = await runPuppet(service, "puppet");
    const early = watch(service, task);
    await task.do("echo before");
    await early.line("before");
    const late = watch(service, { ...task, start: { case: "tailLines", value: 0 } });
    await late.status("RUNNING");
    await task.do("echo after; exit");
    expect(textsOf(await late.done)).toEqual(textsOf(await early.done).slice(-1));
  });
});

describe("after_seq", () => {
  test.each([0, 1, 13, 225, 226, 227, 1_000_000])(
    "of %d sends the lines after it, all statuses and the end",
    async (n) => {
      const events = await tell({ start: { case: "afterSeq", value: BigInt(n) } });
      expect(textsOf(events)).toEqual(textOf(...ALL).slice(n));
      expect(statusesOf(events)).toEqual(STATUSES);
      expect(lastCase(events)).toBe("end");
    },
  );

  test("beyond the last line of a running task waits for later lines", async () => {
    const task = await runPuppet(service, "puppet");
    const early = watch(service, task);
    await task.do("echo 2");
    await early.line("2");
    const late = watch(service, { ...task, start: { case: "afterSeq", value: 4n } });
    await late.status("RUNNING");
    await task.do("echo 3; echo 4; echo 5; echo 6; exit");
    await early.done;
    expect(textsOf(await late.done)).toEqual(["5:5", "6:6"]);
  });
});

test.each([[[STDOUT]], [[STDERR]], [[SYSTEM]], [[STDERR, STDOUT]], [[STDERR, STDERR]], [[]]])(
  "streams %j are sent and no others, both stored and new lines",
  async (streams) => {
    const wanted: readonly number[] = streams.length === 0 ? ALL : streams;
    expect(textsOf(await tell({ streams }))).toEqual(textOf(...wanted));
    const task = await runPuppet(service, "puppet");
    const [live, other] = [watch(service, { ...task, streams }), watch(service, task)];
    await live.status("RUNNING");
    for (const step of ["a", "b"]) {
      await task.do(`echo ${step}; echo ${step} >&2`);
      await other.until(
        (events) => linesOf(events).filter((line) => `${Buffer.from(line.content)}` === step).length === 2,
      );
    }
    await task.do("exit 1");
    const lines = linesOf(await other.done).filter(({ stream }) => wanted.includes(stream));
    expect(linesOf(await live.done)).toEqual(lines);
  },
);

test("logs = false sends statuses only, in the same order, while the task runs and after its end", async () => {
  expect(linesOf(await tell({ logs: false }))).toEqual([]);
  const task = await runPuppet(service, "puppet");
  const live = watch(service, { ...task, logs: false });
  await live.status("RUNNING");
  await task.do("seq 100; exit 2");
  const events = await live.done;
  expect(linesOf(events)).toEqual([]);
  expect(statusesOf(events)).toEqual(STATUSES);
  expect(events.at(-1)?.event).toMatchObject({ case: "end", value: { lastSeq: 102n } });
});

describe("follow = false", () => {
  test("closes the watch of a running task after everything stored was sent, and its token continues there", async () => {
    const task = await runPuppet(service, "puppet");
    const live = watch(service, task);
    await task.do("echo one; echo two");
    await live.line("two");
    const sofar = await collect(service, { ...task, follow: false });
    expect(textsOf(sofar)).toEqual(textsOf(live.events));
    expect(statusesOf(sofar)).toEqual(["WAITING", "STARTING", "RUNNING"]);
    expect(lastCase(sofar)).toBe("heartbeat");
    const value = sofar.at(-1)?.resumeToken ?? "";
    const again = await collect(service, { ...task, follow: false, start: { case: "resumeToken", value } });
    expect(again.map(({ event }) => event.case)).toEqual(["snapshot", "heartbeat"]);
    await task.do("echo three; exit");
    await live.done;
    const rest = await collect(service, { ...task, follow: false, start: { case: "resumeToken", value } });
    expect([...textsOf(sofar), ...textsOf(rest)]).toEqual(textsOf(live.events));
    expect(statusesOf(rest)).toEqual(["SUCCESS"]);
    expect(lastCase(rest)).toBe("end");
  });

  test("of a task that has ended sends everything and the end", async () => {
    const events = await tell({ follow: false });
    expect(textsOf(events)).toEqual(textOf(...ALL));
    expect(lastCase(events)).toBe("end");
  });
});

test("the snapshot is sent first, with the present state of the task", async () => {
  const [first] = await tell({ logs: false });
  expect(first?.event).toMatchObject({
    case: "snapshot",
    value: { task: { name: ended.name, lastSeq: 226n } },
  });
});

test("a task id in capitals is watched live, and its tokens are those of the id in lower case", async () => {
  const task = await runPuppet(service, "puppet");
  const live = watch(service, { name: task.name.replace(/[^/]+$/, (id) => id.toUpperCase()) });
  await live.status("RUNNING");
  await task.do("echo x");
  await live.line("x");
  const value = live.events.at(-1)?.resumeToken ?? "";
  await task.do("exit");
  await live.done;
  expect(statusesOf(await collect(service, { ...task, start: { case: "resumeToken", value } }))).toEqual([
    "SUCCESS",
  ]);
});

describe("WatchTask refuses", () => {
  /** Returns code and reason of a refusal, and the named field. */
  async function refusal(request: WatchInit) {
    const error = ConnectError.from(
      await collect(service, { ...ended, ...request }).catch((e: unknown) => e),
    );
    return { ...essence(error), field: error.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.field };
  }
  const resume = (value: string): WatchInit => ({ start: { case: "resumeToken", value } });
  const badToken = { code: Code.InvalidArgument, reason: "INVALID_ARGUMENT", field: "resume_token" };

  test("an unknown task", async () => {
    const name = `${ended.name.slice(0, -12)}000000000000`;
    expect(await refusal({ name })).toEqual({
      code: Code.NotFound,
      reason: "RESOURCE_NOT_FOUND",
      field: undefined,
    });
    const elsewhere = ended.name.replace("demo", "other");
    expect(await refusal({ name: elsewhere })).toMatchObject({ code: Code.NotFound });
  });

  test("the resume token of another task", async () => {
    const other = await runPuppet(service, "puppet");
    await other.do("exit");
    const token = (await collect(service, other)).at(-1)?.resumeToken ?? "";
    expect(await refusal(resume(token))).toEqual(badToken);
  });

  test("an invalid resume token", async () => {
    const token = whole.at(-1)?.resumeToken ?? "";
    const bytes = Buffer.from(token, "base64url");
    const tokens = [
      "garbage",
      "ü€",
      `${token}AAAA`,
      token.slice(1),
      `${token.slice(0, 10)}!${token.slice(10)}`,
      Buffer.concat([Buffer.from([9]), bytes.subarray(1)]).toString("base64url"),
      tampered(bytes, 2n ** 64n - 1n, 1),
      tampered(bytes, 2n ** 53n, 1),
      tampered(bytes, 1n, 2 ** 32 - 1),
    ];
    for (const value of tokens) expect(await refusal(resume(value)), value).toEqual(badToken);
  });
});

/** Returns a token with other positions. */
function tampered(token: Buffer, seq: bigint, ordinal: number): string {
  const changed = Buffer.from(token);
  changed.writeBigUInt64BE(seq, 17);
  changed.writeUInt32BE(ordinal, 25);
  return changed.toString("base64url");
}
