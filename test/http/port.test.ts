import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { createClient } from "@connectrpc/connect";
import { afterEach, describe, expect, test } from "vitest";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { listen } from "../../src/http/port.ts";
import { grpcJsClient, TRANSPORTS } from "./clients.ts";
import { startServer } from "./server.ts";

const nothing = () => {};
const sockets: net.Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

function connect(url: string): net.Socket {
  const { hostname, port } = new URL(url);
  const socket = net.connect(Number(port), hostname);
  sockets.push(socket);
  return socket.on("error", nothing);
}

async function answerTo(url: string, bytes: string | Buffer): Promise<string> {
  const socket = connect(url);
  socket.write(bytes);
  let text = "";
  for await (const chunk of socket) text += chunk;
  return text;
}

describe("listen", () => {
  test("reports a port that another program holds, and says what to do", async () => {
    await using server = await startServer();
    const { host, port } = server.port.address;
    await expect(listen({ host, port, handler: nothing })).rejects.toThrow(
      `Cannot listen on 127.0.0.1:${port}: another program listens there. Stop it, or choose another port`,
    );
  });

  test("reports an address that this machine does not have", async () => {
    await expect(listen({ host: "192.0.2.1", port: 0, handler: nothing })).rejects.toThrow(
      /Cannot listen on 192.0.2.1:0: this machine does not have this address/,
    );
  });

  test("reports a host name that cannot be resolved", async () => {
    await expect(listen({ host: "no.such.host.invalid", port: 1, handler: nothing })).rejects.toThrow(
      /Cannot listen on no.such.host.invalid:1: (no host has this name|this name cannot be resolved)/,
    );
  });
});

describe("peers that do not keep to the protocol", () => {
  test.each([
    ["says nothing", ""],
    ["stops in the middle of HTTP/2's first word", "PR"],
    ["stops in the middle of HTTP/2's preface", "PRI * HTTP/2.0\r\n"],
    ["stops in the middle of its headers", "POST / HTTP/1.1\r\nhost: x\r\n"],
  ])("a peer that %s is disconnected", async (_, bytes) => {
    await using server = await startServer({ patienceMs: 50 });
    await answerTo(server.url, bytes);
  });

  test("peers that leave at once or stay silent do not delay a shutdown", async () => {
    await using server = await startServer();
    connect(server.url).end();
    const silent = connect(server.url);
    await once(silent, "connect");
    await server.port.close(60_000);
  });

  test.each([
    ["garbage", Buffer.from([0, 1, 2, 255, 254, 10, 10])],
    ["TLS", Buffer.from("16030100a5010000a1", "hex")],
    ["the header of the PROXY protocol", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"],
    ["invalid HTTP/2 frames", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET / HTTP/1.1\r\n\r\n"],
  ])("a connection that sends %s is refused, and the next one is served", async (_, bytes) => {
    await using server = await startServer();
    await answerTo(server.url, bytes);
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });

  test.each([
    ["no Host (HTTP/1.0)", "POST /signalman.v1.TaskService/GetTask HTTP/1.0\r\n\r\n"],
    [
      "an invalid Host",
      "POST /signalman.v1.TaskService/GetTask HTTP/1.1\r\nhost: a b:c\r\nconnection: close\r\n\r\n",
    ],
  ])("%s is answered with 400, and the server goes on", async (_, bytes) => {
    await using server = await startServer();
    expect(await answerTo(server.url, bytes)).toMatch(/^HTTP\/1.1 400 .*invalid_argument/s);
  });

  test.each([
    ["POST http://elsewhere.example:80/signalman.v1.TaskService/GetTask HTTP/1.1", '"name":"x"'],
    ["POST HTTPS://elsewhere.example/signalman.v1.TaskService/GetTask?a=b HTTP/1.1", '"name":"x"'],
    ["GET http://elsewhere.example/healthz HTTP/1.1", "200 OK"],
    ["GET http://elsewhere.example HTTP/1.1", "There is nothing at /"],
    ["GET http://[::1/healthz HTTP/1.1", "There is nothing at http"],
  ])("a request in absolute form is served: %s", async (line, answer) => {
    await using server = await startServer({ tasks: { getTask: ({ name }) => ({ task: { name } }) } });
    const head = `${line}\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 12\r\nconnection: close\r\n\r\n`;
    expect(await answerTo(server.url, `${head}{"name":"x"}`)).toContain(answer);
  });

  test("the host of a request in absolute form is that of its target, not of the header Host", async () => {
    await using server = await startServer({ tasks: { getTask: ({ name }) => ({ task: { name } }) } });
    const line = "GET http://evil.example/signalman.v1.TaskService/GetTask?encoding=json&message={} HTTP/1.1";
    const answer = await answerTo(server.url, `${line}\r\nhost: localhost\r\nconnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 403 .*got Host \\"evil.example\\"/s);
  });

  test("a request that arrives byte by byte is served", async () => {
    await using server = await startServer();
    const socket = connect(server.url).setNoDelay(true);
    for (const part of ["P", "O", "ST /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"]) {
      await new Promise((resolve) => socket.write(part, resolve));
    }
    const [chunk] = await once(socket, "data");
    expect(String(chunk)).toMatch(/^HTTP\/1.1 405.*\r\nallow: GET, HEAD\r\n/s);
  });
});

describe("many streams on one connection", () => {
  test("2,000 streams are ended by the client at once", async () => {
    let open = 0;
    const drained = Promise.withResolvers<void>();
    async function* watchTask(_: unknown, { signal }: { signal: AbortSignal }) {
      open++;
      yield { resumeToken: "1" };
      await once(signal, "abort");
      if (--open === 0) drained.resolve();
    }
    await using server = await startServer({ tasks: { watchTask } });
    const client = grpcJsClient(server.url);
    const streams = Array.from({ length: 2000 }, () => client.watchTask({}).on("error", nothing));
    await Promise.all(streams.map((stream) => once(stream, "data")));
    expect(open).toBe(2000);
    for (const stream of streams) stream.cancel();
    await drained.promise;
    // The connection is still usable.
    const again = client.watchTask({}).on("error", nothing);
    await once(again, "data");
    again.cancel();
    client.close();
  });

  test("2,000 streams are ended by the server", async () => {
    async function* watchTask(_: unknown, { signal }: { signal: AbortSignal }) {
      yield { resumeToken: "1" };
      await once(signal, "abort");
      throw signal.reason;
    }
    await using server = await startServer({ tasks: { watchTask } });
    const client = createClient(TaskService, TRANSPORTS.gRPC(server.url));
    const iterators = Array.from({ length: 2000 }, () => client.watchTask({})[Symbol.asyncIterator]());
    await Promise.all(iterators.map((iterator) => iterator.next()));
    const ends = iterators.map((iterator) => iterator.next().catch((e) => e.code));
    await server.stop(100_000);
    expect(new Set(await Promise.all(ends))).toEqual(new Set([14]));
  });

  test("streams beyond the limit wait at the client, and the limit is low until a caller has authenticated", async () => {
    await using server = await startServer({ tasks: { getTask: () => ({}) } });
    const session = http2.connect(server.url);
    const [before] = await once(session, "remoteSettings");
    expect(before.maxConcurrentStreams).toBe(100);
    const headers = { ":method": "POST", ":path": "/signalman.v1.TaskService/GetTask" };
    const trusted = once(session, "remoteSettings");
    session.request({ ...headers, "content-type": "application/json" }).end("{}");
    const [after] = await trusted;
    expect(after.maxConcurrentStreams).toBe(10_000);
    session.destroy();
  });
});
