import http from "node:http";
import http2 from "node:http2";
import { text } from "node:stream/consumers";
import { Code } from "@connectrpc/connect";
import { codeFromString } from "@connectrpc/connect/protocol-connect";
import { describe, expect, test } from "vitest";
import { startServer } from "./server.ts";

const tasks = {
  getTask: ({ name }: { name: string }) => ({ task: { name } }),
  async *watchTask() {
    yield { resumeToken: "1" };
  },
};
const NAME_X = Buffer.from([10, 1, 120]);
const NO_MESSAGE = Buffer.from([255, 255]);

/** Wraps a message as in a stream. */
function frame(message: Buffer, { flag = 0, length = message.length } = {}): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

const twice = Buffer.concat([frame(NAME_X), frame(NAME_X)]);
const CARDINALITY: [string, Buffer][] = [
  ["no message", Buffer.alloc(0)],
  ["two messages", twice],
];
const FRAMES: [string, Buffer][] = [
  ["half a frame's head", frame(NAME_X).subarray(0, 3)],
  ["less than it says", frame(NAME_X, { length: 4 })],
  ["bytes that are no message", frame(NO_MESSAGE)],
  ["the flag of compression, and none", frame(NAME_X, { flag: 1 })],
  ["all flags", frame(NAME_X, { flag: 0xff })],
];
const BODIES: [string, string, string, Buffer][] = [
  ["GetTask", "application/proto", "bytes that are no message", NO_MESSAGE],
  ["GetTask", "application/json", "text that is no JSON", Buffer.from("{]")],
  ...["application/grpc", "application/grpc-web+proto"].flatMap((type) =>
    ["GetTask", "WatchTask"].flatMap((method) =>
      FRAMES.map(([what, body]): [string, string, string, Buffer] => [method, type, what, body]),
    ),
  ),
  ...FRAMES.map(([what, body]): [string, string, string, Buffer] => [
    "WatchTask",
    "application/connect+proto",
    what,
    body,
  ]),
];

/** Requests whose invalid part JSON.parse quotes, cut within an emoji. */
const QUOTED = [0, 1].map((before) =>
  Buffer.from(`{"name": [[[[[[[[[[,"${"x".repeat(before)}${"🚚".repeat(20)}"}`),
);
for (const [number, body] of QUOTED.entries())
  BODIES.push(
    ["GetTask", "application/json", `a quotation ${number}`, body],
    ...["application/grpc+json", "application/grpc-web+json"].flatMap((type) =>
      ["GetTask", "WatchTask"].map((method): [string, string, string, Buffer] => [
        method,
        type,
        `a quotation ${number}`,
        frame(body),
      ]),
    ),
    ["WatchTask", "application/connect+json", `a quotation ${number}`, frame(body)],
  );

/** Calls over HTTP/2 and returns code and message of the answer, whatever the protocol has them in. */
async function answerOf(url: string, method: string, type: string, body: Buffer) {
  const session = http2.connect(url);
  try {
    const call = session.request({
      ":method": "POST",
      ":path": `/signalman.v1.TaskService/${method}`,
      "content-type": type,
      te: "trailers",
    });
    let status = "";
    let message = "";
    const note = (headers: http2.IncomingHttpHeaders) => {
      status = String(headers["grpc-status"] ?? status);
      message = String(headers["grpc-message"] ?? message);
    };
    call.on("response", note).on("trailers", note).end(body);
    const answer = await text(call);
    status = /grpc-status: *(\d+)/.exec(answer)?.[1] ?? status;
    const code = status ? Number(status) : codeFromString(/"code":"(\w+)"/.exec(answer)?.[1] ?? "");
    return { code, message: message || answer };
  } finally {
    session.destroy();
  }
}

async function codeOf(...args: Parameters<typeof answerOf>): Promise<Code | undefined> {
  return (await answerOf(...args)).code;
}

describe("a request that cannot be decoded is the caller's error", () => {
  test.each(BODIES)("%s as %s: %s", async (method, type, _, body) => {
    await using server = await startServer({ tasks });
    expect(await codeOf(server.url, method, type, body)).toBe(Code.InvalidArgument);
    expect(server.lines.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  });

  test.each(
    ["application/grpc", "application/grpc-web+proto", "application/connect+proto"].flatMap((type) =>
      CARDINALITY.map(([what, body]) => [type, what, body] as const),
    ),
  )("%s with %s is UNIMPLEMENTED, as gRPC's list of status codes has it", async (type, _, body) => {
    await using server = await startServer({ tasks });
    const methods = type.includes("connect") ? ["WatchTask"] : ["GetTask", "WatchTask"];
    for (const method of methods)
      expect(await codeOf(server.url, method, type, body)).toBe(Code.Unimplemented);
  });

  const GRPC =
    /send gRPC with `content-type: application\/grpc`, application\/grpc\+proto or application\/grpc\+json/;
  const GRPC_WEB =
    /send gRPC-Web with `content-type: application\/grpc-web`, application\/grpc-web\+proto or application\/grpc-web\+json/;
  const JSON_TYPE = /send JSON with `content-type: application\/json`/;
  test.each([
    ["application/grpc+xml", GRPC],
    ["application/grpc-web-text", GRPC_WEB],
    ["application/grpc-web+thrift", GRPC_WEB],
    ["application/grpcx", JSON_TYPE],
    ["application/connect+xml", JSON_TYPE],
    ["text/plain", JSON_TYPE],
    ["", JSON_TYPE],
    ["a/b; ;=,", JSON_TYPE],
  ])("whatever it says it is: %j", async (type, message) => {
    await using server = await startServer({ tasks });
    for (const [method, body] of [
      ["GetTask", NAME_X],
      ["WatchTask", frame(NAME_X)],
    ] as const) {
      const answer = await answerOf(server.url, method, type, body);
      expect(answer.code).toBe(Code.InvalidArgument);
      expect(answer.message).toMatch(message);
    }
  });

  test("has a reason, and its message quotes nothing of the request", async () => {
    await using server = await startServer({ tasks });
    const response = await fetch(`${server.url}/signalman.v1.TaskService/GetTask`, {
      method: "POST",
      headers: { "content-type": "application/proto" },
      body: NO_MESSAGE,
    });
    expect(response.status).toBe(400);
    const error = (await response.json()) as { details: { debug: { reason: string } }[] };
    expect(error).toMatchObject({ message: expect.stringMatching(/^The request cannot be read: /) });
    expect(error.details[0]?.debug.reason).toBe("INVALID_ARGUMENT");
  });
});

describe("a request that is refused before its body has arrived does not delay the next one", () => {
  const tooBig = Buffer.concat([frame(Buffer.alloc(400_000), { length: 2 ** 32 - 1 })]);

  test("on a connection of HTTP/1.1", async () => {
    await using server = await startServer({ tasks });
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const call = (type: string, body: Buffer) =>
      new Promise<string>((resolve, reject) => {
        const request = http.request(`${server.url}/signalman.v1.TaskService/GetTask`, {
          method: "POST",
          agent,
          headers: { "content-type": type, "content-length": body.length },
        });
        request.once("error", reject).once("response", (response) => resolve(text(response)));
        request.end(body);
      });
    for (let n = 0; n < 5; n++) {
      expect(await call("application/grpc-web+proto", tooBig)).toContain("grpc-status: 8");
      expect(await call("application/json", Buffer.from('{"name":"x"}'))).toContain('"name":"x"');
    }
    agent.destroy();
  });

  test("on a connection of HTTP/2, a hundred times", async () => {
    await using server = await startServer({ tasks });
    const session = http2.connect(server.url);
    const call = async (type: string, body: Buffer) => {
      const stream = session.request({
        ":method": "POST",
        ":path": "/signalman.v1.TaskService/GetTask",
        "content-type": type,
      });
      stream.on("error", () => {}).end(body);
      return text(stream);
    };
    for (let n = 0; n < 100; n++) await call("application/grpc-web+proto", tooBig);
    expect(await call("application/json", Buffer.from('{"name":"x"}'))).toContain('"name":"x"');
    session.destroy();
  });
});
