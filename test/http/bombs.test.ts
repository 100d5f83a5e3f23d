import http2 from "node:http2";
import { text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { startServer } from "./server.ts";

const tasks = { getTask: ({ name }: { name: string }) => ({ task: { name } }) };
/** A gigabyte of zeros in a megabyte: a gzip file may consist of several members (RFC 1952). */
const BOMB = Buffer.concat(Array.from({ length: 64 }, () => gzipSync(Buffer.alloc(16 * 2 ** 20))));
/** Allowed growth of memory in KB: several times the largest request, since several copies exist at once. */
const MOST_KB = 128 * 1024;

function compressed(message: Buffer): Buffer {
  const head = Buffer.from([1, 0, 0, 0, 0]);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

const FORMS = {
  Connect: {
    headers: { "content-type": "application/proto", "content-encoding": "gzip" },
    body: (message: Buffer) => message,
  },
  gRPC: { headers: { "content-type": "application/grpc", "grpc-encoding": "gzip" }, body: compressed },
  "gRPC-Web": {
    headers: { "content-type": "application/grpc-web+proto", "grpc-encoding": "gzip" },
    body: compressed,
  },
};

async function call(url: string, form: (typeof FORMS)[keyof typeof FORMS], message: Buffer): Promise<string> {
  const session = http2.connect(url);
  try {
    const path = "/signalman.v1.TaskService/GetTask";
    const stream = session.request({ ":method": "POST", ":path": path, ...form.headers });
    let told = "";
    stream.on("trailers", (trailers) => {
      told += `grpc-status: ${trailers["grpc-status"]}`;
    });
    stream.on("error", () => {}).end(form.body(message));
    return (await text(stream)) + told;
  } finally {
    session.destroy();
  }
}

const EXHAUSTED = /resource_exhausted|grpc-status: 8/;
const OK = /x/;

test.each(Object.entries(FORMS))(
  "a gigabyte in a megabyte is refused within the limit: %s",
  async (_, form) => {
    await using server = await startServer({ tasks });
    expect(await call(server.url, form, gzipSync(Buffer.from([10, 1, 120])))).toMatch(OK);
    const before = process.resourceUsage().maxRSS;
    expect(await call(server.url, form, BOMB)).toMatch(EXHAUSTED);
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(MOST_KB);
  },
);

test.each(Object.entries(FORMS))("half a compressed message is the caller's error: %s", async (_, form) => {
  await using server = await startServer({ tasks });
  const half = gzipSync(Buffer.from([10, 1, 120])).subarray(0, 15);
  expect(await call(server.url, form, half)).toMatch(/invalid_argument|grpc-status: 3/);
});
