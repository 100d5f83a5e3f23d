import { once } from "node:events";
import http2 from "node:http2";
import { expect, test } from "vitest";
import { startServer } from "./server.ts";

const TASKS = "/signalman.v1.TaskService";
const GRPC = "application/grpc";
const CONNECT = "application/connect+proto";

/** The head of a message over the size limit; two messages where one is expected; a field that no message has. */
const TOO_LONG = Buffer.from([0, 255, 255, 255, 255]);
const TWO = Buffer.alloc(10);
const BROKEN = Buffer.from([0, 0, 0, 0, 1, 255]);

test.each([
  [`${TASKS}/GetTask`, GRPC, TOO_LONG],
  [`${TASKS}/GetTask`, "application/json", TWO],
  [`${TASKS}/WatchTask`, GRPC, TWO],
  [`${TASKS}/WatchTask`, CONNECT, BROKEN],
  [`${TASKS}/GetTask`, "text/plain", TWO],
  ["/nothing", GRPC, TWO],
  ["/healthz", "text/plain", TWO],
])("a request of %s as %s that never ends is closed behind its answer", async (path, type, body) => {
  await using server = await startServer({ tasks: { getTask: () => ({}), async *watchTask() {} } });
  const session = http2.connect(server.url);
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": type,
    "content-length": 5 << 20,
  });
  const status: unknown[] = [];
  const note = (headers: http2.IncomingHttpHeaders) => status.push(headers["grpc-status"]);
  stream.on("response", note).on("trailers", note).resume().write(body);
  try {
    await once(stream, "close");
  } finally {
    session.destroy();
  }
  expect(stream.rstCode).toBe(http2.constants.NGHTTP2_NO_ERROR);
  // For gRPC the status was in the trailers.
  expect(status.some((code) => code !== undefined)).toBe(type === GRPC);
});
