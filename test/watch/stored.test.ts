import { toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LogBatchSchema, LogStream } from "../../gen/signalman/v1/task_pb.ts";
import { TaskService, type WatchTaskResponse } from "../../gen/signalman/v1/task_service_pb.ts";
import { socketOptions } from "../../src/embedded/socket-url.ts";
import { TRANSPORTS } from "../http/clients.ts";
import { applyDemo, runDemo } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { collect, expectOrder, flatten, linesOf, type WatchInit } from "./events.ts";

/** About 2 MB, in some forty chunks. */
const PRINT = `
seq -f 'out %g of many lines that are only there to fill a few chunks of stored log' 12000
seq -f 'err %g, and the same again for the other stream' 300 >&2
seq -f 'out %g of as many lines again, behind those of the other stream' 12000`;
const KIB = 1024;
const { STDOUT, STDERR } = LogStream;

let service: TestService;
let name: string;
let whole: WatchTaskResponse[];
beforeAll(async () => {
  service = await startService();
  await applyDemo(service, { print: PRINT });
  ({ name } = await runDemo(service, "print"));
  await collect(service, { name });
  whole = await tell();
});
afterAll(() => service[Symbol.asyncDispose]());

const tell = (request: WatchInit = {}) => collect(service, { name, ...request });
const sizesOf = (events: readonly WatchTaskResponse[]) =>
  events.flatMap(({ event }) => (event.case === "log" ? toBinary(LogBatchSchema, event.value).length : []));

test("a stored log is sent in order, in messages of 256 KiB at most", () => {
  expectOrder(whole);
  expect(linesOf(whole).length).toBeGreaterThan(24_300);
  expect(Math.max(...sizesOf(whole))).toBeLessThanOrEqual(256 * KIB);
});

test("a watch that resumes by any token or line gets exactly the rest", async () => {
  const story = flatten(whole.slice(1));
  for (const [i, { resumeToken }] of whole.entries()) {
    const rest = await tell({ start: { case: "resumeToken", value: resumeToken } });
    const told = flatten(whole.slice(1, i + 1)).length;
    // The last token returns the end once more.
    expect(flatten(rest)).toEqual(story.slice(Math.min(told, story.length - 1)));
  }
  const texts = flatten(whole.filter(({ event }) => event.case === "log"));
  for (const seq of [1, 499, 5000, 13_777, 24_299]) {
    const rest = await tell({ start: { case: "afterSeq", value: BigInt(seq) } });
    expect(flatten(rest.filter(({ event }) => event.case === "log"))).toEqual(texts.slice(seq));
  }
});

test.each(Object.entries(TRANSPORTS))("%s tells the same", async (_, transport) => {
  const client = createClient(TaskService, transport(service.url));
  const events = await Array.fromAsync(client.watchTask({ name }));
  expect(flatten(events)).toEqual(flatten(whole));
});

test.each<[LogStream[]]>([[[STDERR]], [[STDOUT]], [[STDOUT, STDERR]]])(
  "of streams %j their lines alone come",
  async (streams) => {
    const events = await tell({ streams });
    expect(linesOf(events)).toEqual(linesOf(whole).filter(({ stream }) => streams.includes(stream)));
  },
);

test("missing chunks are sent as a gap between the lines before and after them", async () => {
  const { databaseUrl } = service;
  const sql = postgres(databaseUrl, { ...socketOptions(databaseUrl), max: 1, onnotice() {} });
  const id = name.slice(-36);
  const stored =
    await sql`SELECT first_seq, last_seq FROM log_chunks WHERE task_id = ${id} ORDER BY first_seq`;
  expect(stored.length).toBeGreaterThan(20);
  // Lines in the middle of a range that is read and sent at once.
  const from = Number(stored[6]?.first_seq);
  const to = Number(stored[8]?.last_seq);
  await sql`DELETE FROM log_chunks WHERE task_id = ${id} AND first_seq BETWEEN ${from} AND ${to}`;
  await sql.end();
  const story = flatten(whole);
  const at = story.findIndex((entry) => entry.startsWith(`${from} STD`));
  const told = [...story.slice(0, at), `gap ${from} to ${to}`, ...story.slice(at + 1 + to - from)];
  const events = await tell();
  expect(flatten(events)).toEqual(told);
  const gap = events.find(({ event }) => event.case === "gap");
  const rest = await tell({ start: { case: "resumeToken", value: gap?.resumeToken ?? "" } });
  expect(flatten(rest)).toEqual(told.slice(at + 1));
});
