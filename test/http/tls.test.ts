import { execFile } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import { promisify } from "node:util";
import { createClient } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import * as grpc from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { connectSignalman } from "../../src/client/connect.ts";
import { makeCertificate, type TestCertificate } from "../support/certificates.ts";
import { grpcJsClient } from "./clients.ts";
import { startServer, type TestServerOptions } from "./server.ts";

let first: TestCertificate;
let second: TestCertificate;
beforeAll(() => {
  first = makeCertificate("first");
  second = makeCertificate("second");
});
afterAll(() => {
  first[Symbol.dispose]();
  second[Symbol.dispose]();
});

const getTask = ({ name }: { name: string }) => ({ task: { name } });
const start = (options: TestServerOptions = {}) =>
  startServer({ tasks: { getTask }, keyPair: first, ...options });

/** Name in the certificate that a new connection is shown. */
async function shownName(
  url: string,
  ALPNProtocols = ["h2"],
): Promise<{ name: string; alpn: string | false | null }> {
  const socket = tls.connect({ port: Number(new URL(url).port), ALPNProtocols, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const seen = { name: String(socket.getPeerCertificate().subject.CN), alpn: socket.alpnProtocol };
  socket.destroy();
  return seen;
}

describe("over TLS on the same port", () => {
  test.each([
    ["gRPC", createGrpcTransport, {}],
    ["gRPC-Web over HTTP/1.1", createGrpcWebTransport, { httpVersion: "1.1" }],
    ["gRPC-Web over HTTP/2", createGrpcWebTransport, { httpVersion: "2" }],
    ["Connect over HTTP/1.1", createConnectTransport, { httpVersion: "1.1" }],
    ["Connect over HTTP/2", createConnectTransport, { httpVersion: "2" }],
  ] as const)("%s is served", async (_, createTransport, options) => {
    await using server = await start();
    expect(server.url).toMatch(/^https:/);
    const nodeOptions = { ca: first.cert };
    const transport = createTransport({ baseUrl: server.url, nodeOptions, ...options } as never);
    expect((await createClient(TaskService, transport).getTask({ name: "x" })).task?.name).toBe("x");
  });

  test("the client library and grpc-js are served, and refuse a certificate of an unknown authority", async () => {
    await using server = await start();
    using client = connectSignalman({ server: server.url, ca: first.cert });
    expect((await client.tasks.getTask({ name: "x" })).task?.name).toBe("x");
    using distrustful = connectSignalman({ server: server.url });
    await expect(distrustful.tasks.getTask({ name: "x" })).rejects.toThrow(/self-signed certificate/);
    const foreign = grpcJsClient(server.url, undefined, grpc.credentials.createSsl(first.cert));
    expect(await promisify(foreign.getTask).call(foreign, { name: "x" })).toMatchObject({
      task: { name: "x" },
    });
    foreign.close();
  });

  test.each(["--http1.1", "--http2", "--no-alpn"])("curl %s is served", async (option) => {
    await using server = await start();
    const { stdout } = await promisify(execFile)("curl", [
      ...[
        "-sS",
        option,
        "--cacert",
        first.certFile,
        "-H",
        "content-type: application/json",
        "-d",
        '{"name":"x"}',
      ],
      `${server.url}/signalman.v1.TaskService/GetTask`,
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ task: { name: "x" } });
  });

  test("ALPN chooses the protocol", async () => {
    await using server = await start();
    expect((await shownName(server.url, ["h2", "http/1.1"])).alpn).toBe("h2");
    expect((await shownName(server.url, ["http/1.1"])).alpn).toBe("http/1.1");
  });
});

test("new connections get a new certificate while 50 open streams go on with the old one", async () => {
  const go = Promise.withResolvers<void>();
  async function* watchTask() {
    yield { resumeToken: "before" };
    await go.promise;
    yield { resumeToken: "after" };
  }
  await using server = await start({ tasks: { watchTask } });
  const clients = Array.from({ length: 50 }, () => connectSignalman({ server: server.url, ca: first.cert }));
  const streams = clients.map((client) => client.tasks.watchTask({})[Symbol.asyncIterator]());
  await Promise.all(streams.map((stream) => stream.next()));
  server.port.useKeyPair(second);
  expect((await shownName(server.url)).name).toBe("second");
  go.resolve();
  const rest = await Promise.all(streams.map((stream) => stream.next()));
  expect(rest.map(({ value }) => value?.resumeToken)).toEqual(streams.map(() => "after"));
  for (const client of clients) client[Symbol.dispose]();
});

test("a certificate that cannot be used leaves the old one in use", async () => {
  await using server = await start();
  expect(() => server.port.useKeyPair({ cert: second.cert, key: first.key })).toThrow(/key values mismatch/);
  expect((await shownName(server.url)).name).toBe("first");
});

describe("a peer without TLS", () => {
  test("is told to call by https", async () => {
    await using server = await start();
    const answer = await fetch(server.url.replace("https", "http"));
    expect([answer.status, await answer.text()]).toEqual([
      400,
      "This port speaks TLS: call it by https://\n",
    ]);
  });

  test.each([
    ["says nothing", ""],
    ["stops in the middle of the handshake", "\x16\x03\x01\x02\x00\x01"],
    ["sends garbage as a handshake", `\x16\x03\x01\x00\x05${"x".repeat(5)}`],
  ])("one that %s is cut off", async (_, bytes) => {
    await using server = await start({ patienceMs: 200 });
    const socket = net.connect(Number(new URL(server.url).port), "127.0.0.1").on("error", () => {});
    socket.write(Buffer.from(bytes, "latin1"));
    await socket
      .resume()
      .on("close", () => {})
      .toArray()
      .catch(() => {});
    expect(socket.destroyed).toBe(true);
  });
});
