import { once } from "node:events";
import { Code, createClient } from "@connectrpc/connect";
import { expect, onTestFinished, test, vi } from "vitest";
import { TaskService } from "../../../gen/signalman/v1/task_service_pb.ts";
import { Failure } from "../../../src/task/errors.ts";
import { TRANSPORTS } from "../../http/clients.ts";
import { startServer, type TestServerOptions } from "../../http/server.ts";

const METHOD = "signalman.v1.TaskService";
type Tasks = TestServerOptions["tasks"];
const serve = async (tasks: Tasks) => {
  const server = await startServer({ tasks });
  return { ...server, client: createClient(TaskService, TRANSPORTS.gRPC(server.url)) };
};

test("a read is logged at debug, a write at info, each with caller, method and duration", async () => {
  await using server = await serve({ getTask: () => ({}), killTask: () => ({}) });
  await server.client.getTask({}, { headers: { "x-request-id": "r1" } });
  await server.client.killTask({ name: "secret" });
  expect(server.lines).toEqual([
    expect.objectContaining({ level: 20, method: `${METHOD}/GetTask`, code: "ok", requestId: "r1" }),
    expect.objectContaining({
      level: 30,
      method: `${METHOD}/KillTask`,
      ms: expect.any(Number),
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    }),
  ]);
  expect(JSON.stringify(server.lines)).not.toContain("secret");
});

test("an error of the caller is logged at info, an error of the server at error with its stack", async () => {
  await using server = await serve({
    getTask() {
      throw new Failure("aborted", "Another call was faster", { reason: "ETAG_MISMATCH" });
    },
    killTask() {
      throw new TypeError("a bug");
    },
  });
  await server.client.getTask({}).catch(() => {});
  await server.client.killTask({}).catch(() => {});
  expect(server.lines).toEqual([
    expect.objectContaining({ level: 30, code: "aborted", error: "Another call was faster" }),
    expect.objectContaining({
      level: 50,
      code: "internal",
      err: expect.objectContaining({ stack: expect.any(String) }),
    }),
  ]);
});

test("a stream is logged as one line, at its end", async () => {
  const gate = Promise.withResolvers<void>();
  await using server = await serve({
    async *watchTask() {
      yield {};
      await gate.promise;
      yield {};
    },
  });
  const stream = server.client.watchTask({})[Symbol.asyncIterator]();
  await stream.next();
  expect(server.lines).toEqual([]);
  gate.resolve();
  await stream.next();
  await stream.next();
  expect(server.lines).toEqual([
    expect.objectContaining({ level: 20, method: `${METHOD}/WatchTask`, code: "ok" }),
  ]);
});

test.each(Object.entries(TRANSPORTS))(
  "%s: who leaves a stream has canceled it: no error of ours",
  async (_, transport) => {
    const ended = Promise.withResolvers<void>();
    await using server = await startServer({
      tasks: {
        async *watchTask(_, { signal }) {
          try {
            yield {};
            await once(signal, "abort");
            signal.throwIfAborted();
          } finally {
            ended.resolve();
          }
        },
      },
    });
    const leave = new AbortController();
    const stream = createClient(TaskService, transport(server.url)).watchTask({}, { signal: leave.signal });
    const iterator = stream[Symbol.asyncIterator]();
    await iterator.next();
    leave.abort();
    await iterator.next().catch(() => {});
    await ended.promise;
    await server.stop(10_000);
    expect(server.lines).toEqual([expect.objectContaining({ level: 30, code: "canceled" })]);
  },
);

test("a passed deadline is not logged as an error of the server", async () => {
  const [begun, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  await using server = await serve({
    async getTask(_, { signal }) {
      begun.resolve();
      await once(signal, "abort");
      ended.resolve();
      throw signal.reason;
    },
  });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const answer = server.client.getTask({}, { timeoutMs: 60_000 }).catch((e) => e);
  await begun.promise;
  await vi.advanceTimersByTimeAsync(60_000);
  expect((await answer).code).toBe(Code.DeadlineExceeded);
  await ended.promise;
  vi.useRealTimers();
  await server.stop(10_000);
  // The deadline passes at the server or at the client first; neither is logged as an error of the server.
  expect(server.lines).toEqual([
    expect.objectContaining({ level: 30, code: expect.stringMatching(/deadline_exceeded|canceled/) }),
  ]);
});
