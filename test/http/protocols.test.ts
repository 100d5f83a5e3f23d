import { once } from "node:events";
import http2 from "node:http2";
import { gzipSync } from "node:zlib";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import * as grpc from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { CatalogService } from "../../gen/signalman/v1/catalog_service_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { Failure, notFound } from "../../src/task/errors.ts";
import { detailsOf, essence, grpcJsClient, TRANSPORTS } from "./clients.ts";
import { startServer } from "./server.ts";

const tasks = {
  getTask({ name }: { name: string }) {
    if (name === "missing") throw notFound("projects/p/tasks/missing");
    if (name === "broken") throw new TypeError("a secret of ours");
    return { task: { name } };
  },
  async *watchTask({ name }: { name: string }) {
    yield { resumeToken: "1", event: { case: "heartbeat" as const, value: {} } };
    if (name === "missing") throw notFound("projects/p/tasks/missing");
    if (name === "broken") throw new TypeError("a secret of ours");
    yield { resumeToken: "2" };
  },
};

async function drain(stream: AsyncIterable<{ resumeToken: string }>) {
  const tokens: string[] = [];
  try {
    for await (const { resumeToken } of stream) tokens.push(resumeToken);
  } catch (error) {
    return { tokens, error };
  }
  return { tokens };
}

describe.each(Object.entries(TRANSPORTS))("%s", (_, transport) => {
  test("unary and streaming calls are answered", async () => {
    await using server = await startServer({ tasks });
    const client = createClient(TaskService, transport(server.url));
    expect((await client.getTask({ name: "x" })).task?.name).toBe("x");
    expect(await drain(client.watchTask({ name: "x" }))).toEqual({ tokens: ["1", "2"] });
  });

  test("errors carry their details, also in the middle of a stream", async () => {
    await using server = await startServer({ tasks });
    const client = createClient(TaskService, transport(server.url));
    const missing = { code: Code.NotFound, reason: "RESOURCE_NOT_FOUND" };
    expect(essence(await client.getTask({ name: "missing" }).catch((e) => e))).toEqual(missing);
    const { tokens, error } = await drain(client.watchTask({ name: "missing" }));
    expect(tokens).toEqual(["1"]);
    expect(essence(error)).toEqual(missing);
  });

  test("the cause of an INTERNAL error is only in the log, under the request id that the caller gets", async () => {
    await using server = await startServer({ tasks });
    const client = createClient(TaskService, transport(server.url));
    const { error } = await drain(
      client.watchTask({ name: "broken" }, { headers: { "x-request-id": "abc" } }),
    );
    expect(essence(error)).toEqual({ code: Code.Internal, reason: "INTERNAL" });
    expect(String(error)).toMatch(/request id abc$/);
    expect(server.lines).toContainEqual(
      expect.objectContaining({
        level: 50,
        method: "signalman.v1.TaskService/WatchTask",
        requestId: "abc",
        err: expect.objectContaining({
          message: "a secret of ours",
          stack: expect.stringContaining("watchTask"),
        }),
      }),
    );
  });

  test("a ConnectError that a handler throws is reported as INTERNAL, whatever its code", async () => {
    const failing = () => {
      throw new ConnectError("protocol error: missing output message", Code.Internal);
    };
    await using server = await startServer({ tasks: { getTask: failing, watchTask: failing } });
    const client = createClient(TaskService, transport(server.url));
    const errors = [await client.getTask({}).catch((e) => e), (await drain(client.watchTask({}))).error];
    for (const error of errors) expect(essence(error)).toEqual({ code: Code.Internal, reason: "INTERNAL" });
    const expected = expect.objectContaining({ level: 50, code: "internal" });
    expect(server.lines).toEqual([expected, expected]);
  });

  test("a message over 4 MiB is refused with a reason", async () => {
    await using server = await startServer({ tasks });
    const client = createClient(TaskService, transport(server.url));
    const error = await client.runTask({ message: "x".repeat(5 << 20) }).catch((e) => e);
    expect(essence(error)).toEqual({ code: Code.ResourceExhausted, reason: "RESOURCE_EXHAUSTED" });
  });
});

describe("grpc-js", () => {
  test("gets responses, streams and error details", async () => {
    await using server = await startServer({ tasks });
    const client = grpcJsClient(server.url);
    const task = await new Promise((resolve, reject) =>
      client.getTask({ name: "x" }, (e, r) => (e ? reject(e) : resolve(r.task))),
    );
    expect(task).toMatchObject({ name: "x" });
    const stream = client.watchTask({ name: "missing" });
    const seen: unknown[] = [];
    stream.on("data", (event) => seen.push(event));
    const [error] = (await once(stream, "error").catch((e) => [e])) as [grpc.ServiceError];
    expect(seen).toHaveLength(1);
    expect(error.code).toBe(Code.NotFound);
    expect(error.details).toBe("There is no projects/p/tasks/missing");
    expect(essence(detailsOf(error))).toEqual({ code: Code.NotFound, reason: "RESOURCE_NOT_FOUND" });
    client.close();
  });

  test("shows error messages in any script as they were written", async () => {
    const sentence = 'Größe 100%: "a/b"\n🚀 %2F';
    const getTask = () => {
      throw new Failure("precondition", sentence, { reason: "NO_BUILD" });
    };
    await using server = await startServer({ tasks: { getTask } });
    const client = grpcJsClient(server.url);
    const error = await new Promise<grpc.ServiceError | null>((resolve) => client.getTask({}, resolve));
    expect(error?.details).toBe(sentence);
    client.close();
  });

  test("may send compressed requests", async () => {
    await using server = await startServer({ tasks });
    const client = grpcJsClient(server.url, {
      "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip,
    });
    const name = "x".repeat(100_000);
    const task = await new Promise((resolve, reject) =>
      client.getTask({ name }, (e, r) => (e ? reject(e) : resolve(r.task))),
    );
    expect(task).toMatchObject({ name });
    client.close();
  });
});

describe("a client that offers compression and compresses its request gets an uncompressed response", () => {
  test.each([
    ["application/grpc", "grpc-encoding", "grpc-accept-encoding"],
    ["application/grpc", "grpc-encoding", undefined],
    ["application/grpc-web", "grpc-encoding", "grpc-accept-encoding"],
    ["application/json", "content-encoding", "accept-encoding"],
    ["application/json", "content-encoding", undefined],
    ["application/connect+json", "connect-content-encoding", "connect-accept-encoding"],
  ])("%s, %s, %s", async (type, encoding, accept) => {
    await using server = await startServer({ tasks });
    const session = http2.connect(server.url);
    const request = session.request({
      ":method": "POST",
      ":path": `/signalman.v1.TaskService/${type.includes("connect") ? "WatchTask" : "GetTask"}`,
      "content-type": type,
      [encoding]: "gzip",
      ...(accept && { [accept]: "gzip" }),
      te: "trailers",
    });
    const isBinary = !type.endsWith("json");
    const message = gzipSync(isBinary ? Buffer.from([10, 1, 120]) : '{"name":"x"}');
    const head = Buffer.from([1, 0, 0, 0, message.length]);
    request.end(type === "application/json" ? message : Buffer.concat([head, message]));
    const [headers] = await once(request, "response");
    const body = Buffer.concat(await Array.fromAsync(request));
    expect(headers).not.toHaveProperty([encoding]);
    expect(String(body)).toMatch(type.includes("connect") ? /resumeToken/ : /x/);
    session.destroy();
  });
});

describe("a service or a method without an implementation", () => {
  test.each(Object.entries(TRANSPORTS))("is UNIMPLEMENTED over %s", async (_, transport) => {
    await using server = await startServer({ tasks });
    const client = createClient(CatalogService, transport(server.url));
    const error = await client.applyCatalog({}).catch((e) => e);
    expect(essence(error)).toEqual({ code: Code.Unimplemented, reason: "UNIMPLEMENTED" });
  });

  test("is UNIMPLEMENTED for grpc-js", async () => {
    await using server = await startServer({ tasks });
    const client = grpcJsClient(server.url);
    const same = (bytes: Buffer) => bytes;
    const call = (path: string) =>
      new Promise<grpc.ServiceError>((resolve) =>
        client.makeUnaryRequest(path, same, same, Buffer.alloc(0), (error) =>
          resolve(error as grpc.ServiceError),
        ),
      );
    for (const path of ["/signalman.v1.TaskService/Nope", "/signalman.v1.TaskService/KillTask"]) {
      const error = await call(path);
      expect(error.code).toBe(Code.Unimplemented);
      expect(essence(detailsOf(error))).toEqual({ code: Code.Unimplemented, reason: "UNIMPLEMENTED" });
    }
    client.close();
  });
});
