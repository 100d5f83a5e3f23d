import { once } from "node:events";
import { readFileSync } from "node:fs";
import http2 from "node:http2";
import { afterAll, beforeAll, expect, test } from "vitest";
import { applyDemo, runDemo, watchToEnd } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";

const TOKEN = "0123456789abcdef";
const RUN_TASK = "/signalman.v1.TaskService/RunTask";
const BODY_BYTES = 3_800_000;
/**
 * Maximum growth of the server's memory, in MB, without an effect of the attack. It was 1 GB when bodies of refused calls
 * were read.
 */
const MOST_MB = 300;
/** Size of a PING frame: its head and its 8 bytes (RFC 9113, section 6.7). */
const PING_BYTES = 17;
let service: TestService;

beforeAll(async () => {
  service = await startService({ env: { SIGNALMAN_TOKEN: TOKEN } });
  await applyDemo(service, { hello: "echo done" });
});
afterAll(() => service[Symbol.asyncDispose]());

function rssMb(): number {
  const status = readFileSync(`/proc/${service.process.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

const isHealthy = async () => (await fetch(`${service.url}/healthz`)).ok;

test.each([
  { who: "without a token", authorization: undefined, status: 401 },
  { who: "with a token", authorization: `Bearer ${TOKEN}`, status: 400 },
])(
  "24 JSON bodies of millions of values $who are refused, and cost little memory",
  async ({ authorization, status }) => {
    const before = rssMb();
    const body = `{"variables":{"a":[${"0,".repeat(BODY_BYTES / 2)}0]}}`;
    const headers = { "content-type": "application/json", ...(authorization && { authorization }) };
    const calls = Array.from({ length: 24 }, () =>
      fetch(service.url + RUN_TASK, { method: "POST", headers, body }).then((answer) => answer.status),
    );
    expect(await isHealthy()).toBe(true);
    expect(new Set(await Promise.all(calls))).toEqual(new Set([status]));
    expect(rssMb() - before).toBeLessThan(MOST_MB);
  },
);

test.each([
  { who: "without a token", headers: {} },
  { who: "with a token", headers: { authorization: `Bearer ${TOKEN}` } },
])("120 bodies $who that do not end on one connection hold little memory", async ({ headers }) => {
  const before = rssMb();
  const session = http2.connect(service.url).on("error", () => {});
  await once(session, "remoteSettings");
  const piece = Buffer.alloc(BODY_BYTES, "x");
  for (let i = 0; i < 120; i++) {
    const head = { ":method": "POST", ":path": RUN_TASK, "content-type": "application/json", ...headers };
    session
      .request(head)
      .on("error", () => {})
      .resume()
      .write(piece);
  }
  await standsStill(session);
  // A call on another connection is served meanwhile, and a task ends.
  expect(await isHealthy()).toBe(true);
  await watchToEnd(service, (await runDemo(service, "hello")).name);
  expect(rssMb() - before).toBeLessThan(MOST_MB);
  session.destroy();
});

/** Resolves when the server takes no more bytes of a session: none are sent until it has answered a ping. */
async function standsStill(session: http2.ClientHttp2Session): Promise<void> {
  for (;;) {
    const sent = session.socket.bytesWritten;
    await new Promise((answered) => session.ping(answered));
    if (session.socket.bytesWritten - sent <= PING_BYTES) return;
  }
}
