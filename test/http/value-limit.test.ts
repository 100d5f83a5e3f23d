import http2 from "node:http2";
import { text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApplyCatalogRequestSchema } from "../../gen/signalman/v1/catalog_service_pb.ts";
import { RunTaskRequestSchema } from "../../gen/signalman/v1/task_service_pb.ts";
import { hasMoreFields } from "../../src/http/count-fields.ts";
import { startServer } from "./server.ts";

let server: Awaited<ReturnType<typeof startServer>>;
let called = 0;
beforeAll(async () => {
  server = await startServer({
    tasks: {
      runTask: ({ template }) => {
        called++;
        return { task: { template } };
      },
      async *watchTasks() {
        called++;
        yield {};
      },
    },
  });
});
afterAll(() => server.stop());

/** A field with a length, as it is encoded. */
function field(number: number, content: Buffer): Buffer {
  const head = [(number << 3) | 2];
  let rest = content.length;
  for (; rest > 127; rest >>>= 7) head.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([...head, rest]), content]);
}

const repeated = (piece: Buffer, times: number) => Buffer.alloc(piece.length * times, piece);

/** A RunTask with a list of nulls, and more of them than is allowed. */
const ITEMS = repeated(field(1, Buffer.from([0x08, 0])), 300_000);
const WIDE = field(3, field(1, Buffer.concat([field(1, Buffer.from("a")), field(2, field(6, ITEMS))])));
const PLAIN = Buffer.from(toBinary(RunTaskRequestSchema, create(RunTaskRequestSchema, { template: "x" })));
/** One of the largest that need no counting, and one that does and may pass. */
const LONG = Buffer.from(
  toBinary(
    RunTaskRequestSchema,
    create(RunTaskRequestSchema, { template: "x", message: "y".repeat(100_000) }),
  ),
);

const framed = (message: Buffer, isGzip: boolean): Buffer => {
  const head = Buffer.from([isGzip ? 1 : 0, 0, 0, 0, 0]);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
};

const FORMS: Record<string, { encoding: string; body: (message: Buffer, isGzip: boolean) => Buffer }> = {
  "application/proto": { encoding: "content-encoding", body: (message) => message },
  "application/grpc": { encoding: "grpc-encoding", body: framed },
  "application/grpc-web+proto": { encoding: "grpc-encoding", body: framed },
};

async function call(method: string, type: string, message: Buffer, isGzip: boolean): Promise<string> {
  const { encoding = "", body } = FORMS[type] ?? { body: framed, encoding: "connect-content-encoding" };
  const session = http2.connect(server.url);
  try {
    const stream = session.request({
      ":method": "POST",
      ":path": `/signalman.v1.TaskService/${method}`,
      "content-type": type,
      ...(isGzip && { [encoding]: "gzip" }),
    });
    let said = "";
    stream.on("trailers", (trailers) => {
      said = decodeURIComponent(`${trailers["grpc-status"]} ${trailers["grpc-message"] ?? ""}`);
    });
    stream.on("error", () => {}).end(body(isGzip ? gzipSync(message) : message, isGzip));
    return decodeURIComponent(await text(stream)) + said;
  } finally {
    session.destroy();
  }
}

const TOO_MANY = "The request has too many values";

describe.each(Object.keys(FORMS))("%s", (type) => {
  test.each([false, true])(
    "a request of 300,000 values is refused unread; compressed: %s",
    async (isGzip) => {
      const before = called;
      expect(await call("RunTask", type, WIDE, isGzip)).toContain(TOO_MANY);
      expect(called).toBe(before);
    },
  );

  test.each([false, true])("small and long ones are served; compressed: %s", async (isGzip) => {
    const before = called;
    for (const message of [PLAIN, LONG]) await call("RunTask", type, message, isGzip);
    expect(called).toBe(before + 2);
  });
});

test.each(["application/grpc", "application/connect+proto"])(
  "a stream's request is limited to 64 KiB, also behind another message: %s",
  async (type) => {
    const before = called;
    const many = repeated(field(1, Buffer.alloc(0)), 300_000);
    for (const body of [many, Buffer.concat([PLAIN, framed(many, false)])])
      expect(await call("WatchTasks", type, body, false)).toMatch(/is larger than configured readMaxBytes/);
    expect(called).toBe(before);
  },
);

test("JSON of too many values is refused before its end has come", async () => {
  const session = http2.connect(server.url);
  const stream = session.request({
    ":method": "POST",
    ":path": "/signalman.v1.TaskService/RunTask",
    "content-type": "application/json",
  });
  const answer = text(stream.on("error", () => {}));
  stream.write(`{"variables":{"a":[${"0,".repeat(11_000)}`);
  expect(await answer).toContain(TOO_MANY);
  session.destroy();
});

test("a message over the limit is refused as one by Connect", async () => {
  const huge = Buffer.concat([LONG, field(99, Buffer.alloc(4 * 2 ** 20))]);
  for (const type of Object.keys(FORMS))
    expect(await call("RunTask", type, huge, false)).toMatch(/is larger than configured readMaxBytes/);
});

describe("counting", () => {
  const templates = (count: number) => field(1, repeated(field(4, Buffer.alloc(0)), count));

  test("a message counts with the fields of its type", () => {
    const [empty, two] = [templates(1), templates(2)];
    const size = (bytes: Buffer) => {
      let most = 0;
      while (hasMoreFields(ApplyCatalogRequestSchema, bytes, most)) most++;
      return most;
    };
    expect(size(two) - size(empty)).toBeGreaterThan(30);
    expect(hasMoreFields(ApplyCatalogRequestSchema, templates(2_000_000), 250_000)).toBe(true);
  });

  test.each([
    ["nothing", Buffer.alloc(0)],
    ["garbage", Buffer.from("garbage, and more of it")],
    ["a field that goes on beyond the end", Buffer.from([0x1a, 0xff, 0x7f, 1])],
    ["a group without an end", Buffer.from([0x0b])],
    ["groups in groups", Buffer.alloc(100_000, 0x0b)],
    [
      "Structs in Structs",
      Array.from({ length: 10_000 }).reduce<Buffer>(
        (inner) => field(3, inner).subarray(0, 100_000),
        Buffer.alloc(0),
      ),
    ],
  ])("of %s ends", (_, bytes) => {
    expect(hasMoreFields(RunTaskRequestSchema, bytes, 250_000)).toBe(false);
  });
});
