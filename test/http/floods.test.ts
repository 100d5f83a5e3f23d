import { once } from "node:events";
import net from "node:net";
import { expect, test } from "vitest";
import {
  countOf,
  END_HEADERS,
  END_STREAM,
  frame,
  onStream,
  openPeer,
  type Peer,
  postTo,
  TYPE,
} from "./frames.ts";
import { startServer } from "./server.ts";

const WATCH = postTo("/signalman.v1.TaskService/WatchTask");
const GET = postTo("/signalman.v1.TaskService/GetTask");
/**
 * Bytes after which a test gives up waiting for the server to close the connection: a hundred times what should suffice.
 */
const MOST_BYTES = 256 * 2 ** 20;

type Server = Awaited<ReturnType<typeof startServer>>;

/** Expects that the server answers another client. */
async function servesOthers({ url }: Server): Promise<void> {
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
}

/** Sends the same bytes repeatedly until the server closes the connection; returns how many bytes it accepted. */
async function floodUntilCut(peer: Peer, bytes: Buffer): Promise<number> {
  let sent = 0;
  while (!peer.socket.destroyed && sent < MOST_BYTES) {
    await peer.write(bytes);
    sent += bytes.length;
  }
  return sent;
}

function repeated(piece: Buffer, times: number): Buffer {
  return Buffer.concat(Array.from({ length: times }, () => piece));
}

test("20,000 streams that are opened and reset at once leave no state behind, and other clients are served", async () => {
  let open = 0;
  async function* watchTask(_: unknown, { signal }: { signal: AbortSignal }) {
    open++;
    try {
      yield { resumeToken: "1" };
      if (!signal.aborted) await once(signal, "abort");
    } finally {
      open--;
    }
  }
  await using server = await startServer({ tasks: { watchTask } });
  using peer = openPeer(server.url);
  const message = frame(TYPE.data, END_STREAM, 1, Buffer.alloc(5));
  const cancel = frame(TYPE.reset, 0, 1, Buffer.from([0, 0, 0, 8]));
  const pieces = [frame(TYPE.headers, END_HEADERS, 1, WATCH), message, cancel];
  const all = Array.from({ length: 20_000 }, (_, n) => pieces.map((piece) => onStream(piece, 2 * n + 1)));
  await peer.write(Buffer.concat(all.flat()));
  await servesOthers(server);
  // The server may have closed the connection by then: more than 10,000 resets at once, and 1,000 a second, are too many.
  await expect.poll(() => open, { timeout: 60_000 }).toBe(0);
});

test.each([
  ["pings", frame(TYPE.ping, 0, 0, Buffer.alloc(8))],
  ["settings", frame(TYPE.settings, 0, 0)],
])("a peer that sends %s and reads no answer is cut off", async (_, piece) => {
  await using server = await startServer();
  using peer = openPeer(server.url);
  await once(peer.socket, "data");
  peer.socket.pause();
  expect(await floodUntilCut(peer, repeated(piece, 10_000))).toBeLessThan(MOST_BYTES);
  await servesOthers(server);
});

test("a connection that sends HTTP/1.1 headers byte by byte is closed", async () => {
  await using server = await startServer({ patienceMs: 100 });
  const { hostname, port } = new URL(server.url);
  const socket = net.connect(Number(port), hostname).on("error", () => {});
  // `once` of node:events would reject if the last write is answered by a reset.
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.write("POST / HTTP/1.1\r\nx: ");
  const trickle = setInterval(() => socket.write("y"), 10);
  socket.resume();
  await closed;
  clearInterval(trickle);
  await servesOthers(server);
});

test("an HTTP/2 connection whose headers never end is closed", async () => {
  await using server = await startServer();
  using peer = openPeer(server.url);
  await peer.write(frame(TYPE.headers, 0, 1, GET));
  const more = frame(
    TYPE.continuation,
    0,
    1,
    Buffer.concat([Buffer.from([0, 1, 97, 100]), Buffer.alloc(100, 98)]),
  );
  expect(await floodUntilCut(peer, repeated(more, 1000))).toBeLessThan(MOST_BYTES);
  await servesOthers(server);
});

test("streams beyond the limit are refused, and those that stay open delay no other stream", async () => {
  await using server = await startServer();
  using peer = openPeer(server.url);
  const open = (from: number, count: number) =>
    Buffer.concat(
      Array.from({ length: count }, (_, n) => frame(TYPE.headers, END_HEADERS, from + 2 * n, GET)),
    );
  await peer.write(open(1, 10_000));
  await peer.write(open(20_001, 50));
  await expect
    .poll(() => countOf(peer.received(), TYPE.reset), { timeout: 60_000 })
    .toBeGreaterThanOrEqual(50);
  expect(peer.socket.destroyed).toBe(false);
  await servesOthers(server);
});
