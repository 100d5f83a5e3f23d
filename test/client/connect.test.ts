import { once } from "node:events";
import http2 from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { WatchTaskResponseSchema } from "../../gen/signalman/v1/task_service_pb.ts";
import { connectSignalman, type Signalman } from "../../src/client/connect.ts";

/** A server that answers each watch with one event and is silent then. */
async function silentServer() {
  const server = http2.createServer();
  const tokens: (string | undefined)[] = [];
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on("session", (session) => sessions.add(session));
  server.on("stream", (stream, headers) => {
    tokens.push(headers.authorization);
    stream.on("error", () => {});
    stream.respond({ ":status": 200, "content-type": "application/grpc+proto" });
    const message = toBinary(
      WatchTaskResponseSchema,
      create(WatchTaskResponseSchema, { resumeToken: "a", event: { case: "snapshot", value: {} } }),
    );
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    stream.write(Buffer.concat([prefix, message]));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    tokens,
    /** The code that the next stream is reset with. */
    async reset(): Promise<number> {
      const [stream] = (await once(server, "stream")) as [http2.ServerHttp2Stream];
      await once(stream, "close");
      return stream.rstCode;
    },
    [Symbol.dispose]() {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}

/** A server that resets or refuses each call as the test says. */
async function rudeServer(treat: (stream: http2.ServerHttp2Stream) => void) {
  const server = http2.createServer().on("stream", (stream) => {
    stream.on("error", () => {});
    treat(stream);
  });
  server.on("sessionError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { address, [Symbol.dispose]: () => void server.close() };
}

/** Resets the TCP connection instead of closing it. */
const cut = (stream: http2.ServerHttp2Stream) => (stream.session?.socket as Socket)?.resetAndDestroy?.();

describe("a connection that breaks is UNAVAILABLE", () => {
  const unary = (client: Signalman) => client.tasks.getTask({ name: "x" });
  const stream = (client: Signalman) => client.tasks.watchTask({ name: "x" })[Symbol.asyncIterator]().next();

  test.each([
    [
      "refused by the server",
      (s: http2.ServerHttp2Stream) => s.close(http2.constants.NGHTTP2_REFUSED_STREAM),
    ],
    ["reset by the network", cut],
    [
      "reset after the answer began",
      (s: http2.ServerHttp2Stream) => {
        s.respond({ ":status": 200, "content-type": "application/grpc+proto" });
        setImmediate(() => cut(s));
      },
    ],
  ])("%s", async (_, treat) => {
    using server = await rudeServer(treat);
    for (const call of [unary, stream]) {
      using client = connectSignalman({ server: server.address });
      await expect(call(client)).rejects.toMatchObject({ code: Code.Unavailable });
    }
  });
});

describe("connectSignalman", () => {
  test("sends the token with every call", async () => {
    using server = await silentServer();
    using client = connectSignalman({ server: server.address, token: "secret-token-0000" });
    for await (const _ of client.watch({ name: "x" })) break;
    expect(server.tokens).toEqual(["Bearer secret-token-0000"]);
  });

  test("leaving a watch, by break, signal or silence, is a cancellation to the server", async () => {
    using server = await silentServer();
    using client = connectSignalman({ server: server.address });
    const byBreak = server.reset();
    for await (const _ of client.watch({ name: "x" })) break;
    expect(await byBreak).toBe(http2.constants.NGHTTP2_CANCEL);

    const bySignal = server.reset();
    const stop = new AbortController();
    const watch = client.watch({ name: "x" }, { signal: stop.signal });
    await watch.next();
    const next = watch.next();
    stop.abort(new Error("enough"));
    await expect(next).rejects.toThrow("enough");
    expect(await bySignal).toBe(http2.constants.NGHTTP2_CANCEL);

    const bySilence = server.reset();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const silent = client.watch({ name: "x" }, { silenceMs: 100, giveUpAfterMs: 0 });
    await silent.next();
    const nothing = expect(silent.next()).rejects.toMatchObject({ code: Code.Unavailable });
    await vi.advanceTimersByTimeAsync(100);
    await nothing;
    expect(await bySilence).toBe(http2.constants.NGHTTP2_CANCEL);
  });

  test("connect rejects with UNAVAILABLE without a server", async () => {
    using client = connectSignalman({ server: "127.0.0.1:1" });
    await expect(client.connect()).rejects.toMatchObject({ code: Code.Unavailable });
  });

  test("refuses what cannot be a server or a token, without showing the token", () => {
    expect(() => connectSignalman({ server: "ftp://x" })).toThrow(/^server must be HOST:PORT/);
    expect(() => connectSignalman({ token: "two words" })).toThrow(
      /^the token must be visible ASCII without blanks$/,
    );
  });
});
