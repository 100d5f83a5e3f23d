import { getEventListeners, once } from "node:events";
import http2 from "node:http2";
import { Code, createClient } from "@connectrpc/connect";
import type * as grpc from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { detailsOf, essence, grpcJsClient, TRANSPORTS } from "./clients.ts";
import { startServer } from "./server.ts";
import { standStill } from "./stand-still.ts";

const UNAVAILABLE = { code: Code.Unavailable, reason: "SERVER_SHUTDOWN", retryMs: 1000 };

/** Sends one event, then waits for the end of the call, as a watch of a silent task does. */
async function* waitForEver(_: unknown, { signal }: { signal: AbortSignal }) {
  yield { resumeToken: "1" };
  await once(signal, "abort");
  throw signal.reason;
}

describe("a shutdown in the middle of a stream", () => {
  test.each(Object.entries(TRANSPORTS))(
    "ends it with UNAVAILABLE and RetryInfo over %s",
    async (_, transport) => {
      await using server = await startServer({ tasks: { watchTask: waitForEver } });
      const client = createClient(TaskService, transport(server.url));
      const stream = client.watchTask({})[Symbol.asyncIterator]();
      expect((await stream.next()).value?.resumeToken).toBe("1");
      const rest = stream.next().catch((e) => e);
      await server.stop(10_000);
      expect(essence(await rest)).toEqual(UNAVAILABLE);
    },
  );

  test("ends it with UNAVAILABLE and RetryInfo for grpc-js", async () => {
    await using server = await startServer({ tasks: { watchTask: waitForEver } });
    const client = grpcJsClient(server.url);
    const stream = client.watchTask({});
    const failed = new Promise<grpc.ServiceError>((resolve) => stream.once("error", resolve));
    await once(stream, "data");
    await server.stop(10_000);
    const error = await failed;
    expect(error.code).toBe(Code.Unavailable);
    expect(essence(detailsOf(error))).toEqual(UNAVAILABLE);
    client.close();
  });

  test("is not logged as an error of the server", async () => {
    await using server = await startServer({ tasks: { watchTask: waitForEver } });
    const stream = grpcJsClient(server.url).watchTask({});
    stream.on("error", () => {});
    await once(stream, "data");
    await server.stop(10_000);
    expect(server.lines).toEqual([expect.objectContaining({ level: 30, code: "unavailable" })]);
  });
});

test("open streams add no listeners to the signal of the shutdown", async () => {
  await using server = await startServer({ tasks: { watchTask: waitForEver } });
  const { signal } = server.shutdown;
  const before = getEventListeners(signal, "abort").length;
  const client = createClient(TaskService, TRANSPORTS.gRPC(server.url));
  const streams = Array.from({ length: 20 }, () => client.watchTask({})[Symbol.asyncIterator]());
  for (const stream of streams) await stream.next();
  expect(getEventListeners(signal, "abort")).toHaveLength(before);
  const rest = streams.map((stream) => stream.next().catch(essence));
  await server.stop(10_000);
  expect(await Promise.all(rest)).toEqual(streams.map(() => UNAVAILABLE));
});

describe("close", () => {
  test("waits for a unary call, refuses new streams on its session, and then ends the session", async () => {
    const gate = Promise.withResolvers<void>();
    const entered = Promise.withResolvers<void>();
    const getTask = async () => {
      entered.resolve();
      await gate.promise;
      return { task: { name: "done" } };
    };
    await using server = await startServer({ tasks: { getTask } });
    const session = http2.connect(server.url);
    const running = request(session);
    await entered.promise;
    const closed = server.port.close(60_000);
    await once(session, "goaway");
    gate.resolve();
    expect(await running).toContain("done");
    await closed;
    expect(session.destroyed || session.closed).toBe(true);
  });

  test("waits for a call over HTTP/1.1 and does not wait for its idle connection", async () => {
    const entered = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const getTask = async () => {
      entered.resolve();
      await gate.promise;
      return { task: { name: "done" } };
    };
    await using server = await startServer({ tasks: { getTask } });
    const answer = fetch(`${server.url}/signalman.v1.TaskService/GetTask`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    await entered.promise;
    const closed = server.port.close(60_000);
    gate.resolve();
    expect(await (await answer).json()).toEqual({ task: { name: "done" } });
    await closed;
  });

  test.each(Object.entries(TRANSPORTS))(
    "%s: a call that is cut off ends also for a client that hears of it and of the drain at once",
    async (_, transport) => {
      const entered = Promise.withResolvers<void>();
      const getTask = () => {
        entered.resolve();
        return new Promise<never>(() => {});
      };
      await using server = await startServer({ tasks: { getTask } });
      const client = createClient(TaskService, transport(server.url));
      const answer = client.getTask({}).catch((e) => e);
      await entered.promise;
      const closed = server.port.close(5);
      standStill(20);
      await closed;
      expect(await answer).toBeInstanceOf(Error);
    },
  );

  test("destroys calls that do not end in time, and may be called twice", async () => {
    const entered = Promise.withResolvers<void>();
    const getTask = () => {
      entered.resolve();
      return new Promise<never>(() => {});
    };
    await using server = await startServer({ tasks: { getTask } });
    const client = createClient(TaskService, TRANSPORTS.gRPC(server.url));
    const answer = client.getTask({}).catch((e) => e);
    await entered.promise;
    await Promise.all([server.port.close(20), server.port.close(20)]);
    expect(await answer).toBeInstanceOf(Error);
  });
});

async function request(session: http2.ClientHttp2Session): Promise<string> {
  const stream = session.request({
    ":method": "POST",
    ":path": "/signalman.v1.TaskService/GetTask",
    "content-type": "application/json",
  });
  stream.end("{}");
  let text = "";
  for await (const chunk of stream) text += chunk;
  return text;
}
