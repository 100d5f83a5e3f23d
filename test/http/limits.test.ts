import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { describe, expect, test } from "vitest";
import { startServer, type TestServerOptions } from "./server.ts";

const TOKEN = "0123456789abcdef";
const GET_TASK = "/signalman.v1.TaskService/GetTask";
const HEALTH = "/grpc.health.v1.Health/Check";
const getTask = ({ name }: { name: string }) => ({ task: { name } });
const start = (options: TestServerOptions = {}) =>
  startServer({ token: TOKEN, tasks: { getTask }, ...options });

/** Opens a connection that says nothing yet; `closed` resolves when the server has closed it. */
async function connect(url: string) {
  const socket = net.connect(Number(new URL(url).port), "127.0.0.1").on("error", () => {});
  const closed = once(socket, "close");
  await once(socket, "connect");
  return { socket: socket.resume(), closed };
}

/** Sends a request of HTTP/1.1 and resolves to the head of the response. */
async function ask(socket: net.Socket, path: string, ...headers: string[]): Promise<string> {
  socket.write(
    ["POST", path, "HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2"].join(
      " ",
    ) +
      [...headers, "", ""].map((header) => `\r\n${header}`).join("") +
      "{}",
  );
  const [head] = await once(socket, "data");
  return String(head);
}
const AUTHORIZED = `authorization: Bearer ${TOKEN}`;

describe("connections without an authenticated caller", () => {
  test("too many from one address: the oldest is closed for a new one, and an authenticated one stays", async () => {
    const refused: string[] = [];
    await using server = await start({
      limits: { untrustedPerSubnet: 3 },
      refused: (why) => void refused.push(why),
    });
    const trusted = await connect(server.url);
    expect(await ask(trusted.socket, GET_TASK, AUTHORIZED)).toMatch(/^HTTP\/1.1 200/);
    const oldest = await connect(server.url);
    const others = [await connect(server.url), await connect(server.url), await connect(server.url)];
    await oldest.closed;
    expect(refused).toEqual(["too many connections"]);
    expect(await ask(trusted.socket, GET_TASK, AUTHORIZED)).toMatch(/^HTTP\/1.1 200/);
    for (const { socket } of others) expect(await ask(socket, HEALTH)).toMatch(/^HTTP\/1.1 200/);
    for (const { socket } of [trusted, ...others]) socket.destroy();
  });

  test("too many in all: the oldest is closed for a new one", async () => {
    await using server = await start({ limits: { untrusted: 2 } });
    const oldest = await connect(server.url);
    const [second, third] = [await connect(server.url), await connect(server.url)];
    await oldest.closed;
    expect(await ask(second.socket, HEALTH)).toMatch(/^HTTP\/1.1 200/);
    expect(await ask(third.socket, HEALTH)).toMatch(/^HTTP\/1.1 200/);
    for (const { socket } of [second, third]) socket.destroy();
  });

  test("if all are authenticated, the new one is closed", async () => {
    await using server = await start({ limits: { all: 2 } });
    const trusted = [await connect(server.url), await connect(server.url)];
    for (const { socket } of trusted) await ask(socket, GET_TASK, AUTHORIZED);
    await (await connect(server.url)).closed;
    for (const { socket } of trusted) {
      expect(await ask(socket, GET_TASK, AUTHORIZED)).toMatch(/^HTTP\/1.1 200/);
      socket.destroy();
    }
  });

  test("one that has not authenticated in time is closed, and one that has stays open", async () => {
    await using server = await start({ limits: { untrustedMs: 300 } });
    const trusted = await connect(server.url);
    await ask(trusted.socket, GET_TASK, AUTHORIZED);
    const health = await connect(server.url);
    expect(await ask(health.socket, HEALTH)).toMatch(/^HTTP\/1.1 200/);
    const session = http2.connect(server.url).on("error", () => {});
    session.request({ ":method": "POST", ":path": HEALTH, "content-type": "application/json" }).end("{}");
    await Promise.all([health.closed, once(session, "goaway")]);
    expect(await ask(trusted.socket, GET_TASK, AUTHORIZED)).toMatch(/^HTTP\/1.1 200/);
    trusted.socket.destroy();
    session.destroy();
  });
});

describe("a session without an authenticated caller", () => {
  test("is closed after more resets than Node allows by default, and one with a caller is not", async () => {
    await using server = await start();
    const resets = async (session: http2.ClientHttp2Session, count: number) => {
      const headers = { ":method": "POST", ":path": HEALTH, "content-type": "application/json" };
      for (let i = 0; i < count && !session.closed; i++) {
        const stream = session.request(headers).on("error", () => {});
        stream.close(http2.constants.NGHTTP2_CANCEL);
        if (i % 50 === 0) await new Promise((resolve) => stream.once("close", resolve));
      }
    };
    const untrusted = http2.connect(server.url).on("error", () => {});
    const [[code]] = await Promise.all([once(untrusted, "goaway"), resets(untrusted, 10_000)]);
    expect(code).toBe(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);

    const trusted = http2.connect(server.url);
    const call = trusted.request({
      ":method": "POST",
      ":path": GET_TASK,
      "content-type": "application/json",
      authorization: `Bearer ${TOKEN}`,
    });
    call.end("{}");
    await once(call.resume(), "close");
    await resets(trusted, 1500);
    expect(trusted.destroyed).toBe(false);
    await new Promise((resolve) => trusted.ping(resolve));
    trusted.destroy();
  });
});

describe("the body of a request", () => {
  const bodyLimits = { idleMs: 200, totalMs: 1000 };
  const open = (session: http2.ClientHttp2Session) => {
    const stream = session.request({
      ":method": "POST",
      ":path": GET_TASK,
      "content-type": "application/json",
      authorization: `Bearer ${TOKEN}`,
    });
    const answer = once(stream, "response").then(async ([headers]) => ({
      status: headers[":status"],
      text: (await stream.toArray()).join(""),
    }));
    return { stream: stream.on("error", () => {}), answer };
  };

  test("that pauses for too long is refused", async () => {
    await using server = await start({ bodyLimits });
    const session = http2.connect(server.url);
    const { stream, answer } = open(session);
    stream.write('{"na');
    expect(await answer).toMatchObject({ status: 504, text: expect.stringContaining("paused for 0.2 s") });
    const next = open(session);
    next.stream.end('{"name":"x"}');
    expect((await next.answer).status).toBe(200);
    session.destroy();
  });

  test("that takes too long in all is refused", async () => {
    await using server = await start({ bodyLimits: { ...bodyLimits, idleMs: 60_000 } });
    const session = http2.connect(server.url);
    const { stream, answer } = open(session);
    const trickle = setInterval(() => stream.write(" "), 20);
    expect(await answer).toMatchObject({
      status: 504,
      text: expect.stringContaining("not complete after 1 s"),
    });
    clearInterval(trickle);
    session.destroy();
  });

  test("that is refused over HTTP/1.1 ends the connection", async () => {
    await using server = await start({ bodyLimits, patienceMs: 300 });
    const { socket, closed } = await connect(server.url);
    const head = await ask(socket, GET_TASK, AUTHORIZED, "x: y").then(async () => {
      socket.write(
        `POST ${GET_TASK} HTTP/1.1\r\nhost: localhost\r\n${AUTHORIZED}\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{`,
      );
      return String((await once(socket, "data"))[0]);
    });
    expect(head).toMatch(/^HTTP\/1.1 504/);
    socket.end();
    await closed;
  });

  test("waits for others if it is large, but not if it is small", async () => {
    const name = "x".repeat(200_000);
    await using server = await start({
      bodyLimits: { idleMs: 60_000, totalMs: 60_000 },
      callLimits: { large: 1 },
    });
    const session = http2.connect(server.url);
    const first = open(session);
    const second = open(session);
    let isSecondAnswered = false;
    void second.answer.then(() => {
      isSecondAnswered = true;
    });
    await new Promise((sent) => first.stream.write(`{"name":"${name}`, sent));
    second.stream.end(`{"name":"${name}"}`);
    for (let i = 0; i < 20; i++) {
      const small = open(session);
      small.stream.end('{"name":"x"}');
      expect((await small.answer).status).toBe(200);
    }
    expect(isSecondAnswered).toBe(false);
    first.stream.end('"}');
    expect([(await first.answer).status, (await second.answer).status]).toEqual([200, 200]);
    session.destroy();
  });
});

test("JSON of more than 10,000 values is refused", async () => {
  await using server = await start();
  const answer = await fetch(server.url + GET_TASK, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${TOKEN}` },
    body: `{"name": [${"0,".repeat(20_000)}0]}`,
  });
  expect([answer.status, await answer.json()]).toEqual([
    400,
    expect.objectContaining({
      code: "invalid_argument",
      message: expect.stringContaining("at most 10000"),
    }),
  ]);
});

describe("the host of a call", () => {
  const call = (url: string, host: string, path = GET_TASK) =>
    connect(url).then(async ({ socket }) => {
      socket.write(
        `POST ${path} HTTP/1.1\r\nhost: ${host}\r\n${AUTHORIZED}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`,
      );
      const [head] = await once(socket, "data");
      socket.destroy();
      return Number(/^HTTP\/1.1 (\d+)/.exec(String(head))?.[1]);
    });

  test("is checked where the check is on, but not for health", async () => {
    await using server = await start({ hosts: { checked: true, names: ["ci.example.com"] } });
    for (const host of ["localhost:1", "app.localhost", "127.0.0.1", "[::1]:8480", "CI.example.com:443"])
      expect([host, await call(server.url, host)]).toEqual([host, 200]);
    for (const host of [
      "evil.example",
      "localhost.evil.example",
      "127.0.0.1.evil.example",
      "ci.example.com.evil",
    ])
      expect([host, await call(server.url, host)]).toEqual([host, 403]);
    expect(await call(server.url, "evil.example", HEALTH)).toBe(200);
  });

  test("may be any name where the check is off or all names are allowed", async () => {
    await using open = await start();
    expect(await call(open.url, "evil.example")).toBe(200);
    await using all = await start({ hosts: { checked: true, names: "*" } });
    expect(await call(all.url, "evil.example")).toBe(200);
  });
});

test("many refusals are logged as one line with their number", async () => {
  await using server = await start();
  for (let i = 0; i < 20; i++)
    await fetch(server.url + GET_TASK, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
  const lines = server.lines.filter(({ msg }) => msg === "rpc refused before its body was read");
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({ reason: "TOKEN_MISSING", count: 1, code: "unauthenticated" });
});
