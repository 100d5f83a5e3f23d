import { once } from "node:events";
import http2 from "node:http2";
import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { connectSignalman } from "../../src/client/connect.ts";
import { startServer, type TestServerOptions } from "./server.ts";

const TOKEN = "0123456789abcdef";
const GET_TASK = "/signalman.v1.TaskService/GetTask";
const getTask = ({ name }: { name: string }) => ({ task: { name } });

/** A stream that stays open until the caller leaves. */
async function* watchTask(_: unknown, { signal }: { signal: AbortSignal }) {
  yield { resumeToken: "1" };
  if (!signal.aborted) await once(signal, "abort");
}

const start = (options: TestServerOptions = {}) =>
  startServer({ token: TOKEN, tasks: { getTask, watchTask }, ...options });

const withToken: Interceptor = (next) => (request) => {
  request.header.set("authorization", `Bearer ${TOKEN}`);
  return next(request);
};

/** Opens a stream and resolves when it has sent its first message. */
async function open(stream: AsyncIterable<unknown>) {
  const events = stream[Symbol.asyncIterator]();
  await events.next();
  return events;
}

const errorOf = async (call: Promise<unknown>): Promise<ConnectError> =>
  ConnectError.from(
    await call.then(
      () => undefined,
      (error: unknown) => error,
    ),
  );

test("a caller with too many open calls is refused the next one, until one has ended", async () => {
  await using server = await start({ callLimits: { calls: 2 } });
  using client = connectSignalman({ server: server.url, token: TOKEN });
  const leave = new AbortController();
  const first = await open(client.tasks.watchTask({}, { signal: leave.signal }));
  const second = await open(client.tasks.watchTask({}));
  const refused = await errorOf(client.tasks.getTask({ name: "x" }));
  expect(refused.code).toBe(Code.ResourceExhausted);
  expect(refused.rawMessage).toMatch(/^root has 2 open calls, the limit for one caller/);
  expect(refused.findDetails(RetryInfoSchema)).toHaveLength(1);
  leave.abort();
  await errorOf(first.next());
  await expect.poll(() => errorOf(client.tasks.getTask({ name: "x" }))).toMatchObject({ code: Code.Unknown });
  await second.return?.();
});

test("health on a connection with a caller counts as a call of that caller", async () => {
  await using server = await start({ callLimits: { calls: 2, unknown: { all: 1, perSubnet: 1 } } });
  const transport = createGrpcTransport({ baseUrl: server.url, interceptors: [withToken] });
  const health = createClient(Health, createGrpcTransport({ baseUrl: server.url }));
  const known = createClient(Health, transport);
  await createClient(TaskService, transport).getTask({ name: "x" });
  const watches = [await open(known.watch({})), await open(known.watch({}))];
  expect((await errorOf(known.check({}))).rawMessage).toMatch(/^root has 2 open calls/);
  expect(await health.check({})).toMatchObject({ status: 1 });
  for (const watch of watches) await watch.return?.();
});

test("of too many calls without a caller the oldest is ended", async () => {
  await using server = await start({ callLimits: { unknown: { all: 2, perSubnet: 2 } } });
  const health = () => createClient(Health, createGrpcTransport({ baseUrl: server.url }));
  const oldest = await open(health().watch({}));
  const ended = errorOf(oldest.next());
  const others = [await open(health().watch({})), await open(health().watch({}))];
  expect((await ended).rawMessage).toMatch(/NGHTTP2_ENHANCE_YOUR_CALM/);
  for (const other of others) await other.return?.();
});

test("a health check has 4 KiB at most", async () => {
  await using server = await start();
  const health = createClient(Health, createGrpcTransport({ baseUrl: server.url }));
  expect((await errorOf(health.check({ service: "x".repeat(5000) }))).code).toBe(Code.ResourceExhausted);
  expect((await errorOf(health.check({ service: "x".repeat(3000) }))).code).toBe(Code.NotFound);
});

test("bodies of one caller that hold too many bytes are refused, until others have ended", async () => {
  await using server = await start({ callLimits: { requestBytes: 100_000 } });
  const session = http2.connect(server.url);
  const post = () => {
    const stream = session.request({
      ":method": "POST",
      ":path": GET_TASK,
      "content-type": "application/json",
      authorization: `Bearer ${TOKEN}`,
    });
    const status = once(stream, "response").then(([headers]) => headers[":status"]);
    return { stream: stream.on("error", () => {}).resume(), status };
  };
  const start60 = `{"name":"${"x".repeat(60_000)}`;
  const first = post();
  first.stream.write(start60);
  await expect
    .poll(() => {
      const next = post();
      next.stream.end(`${start60}"}`);
      return next.status;
    })
    .toBe(429);
  first.stream.end('"}');
  expect(await first.status).toBe(200);
  const last = post();
  last.stream.end(`${start60}"}`);
  expect(await last.status).toBe(200);
  session.destroy();
});
