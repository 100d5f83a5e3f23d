import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import { describe, expect, test } from "vitest";
import { isTransientError } from "../../src/store/postgres/transient-errors.ts";
import { END_HEADERS, frame, openPeer, postTo, TYPE } from "./frames.ts";
import { startServer } from "./server.ts";

const PATH = "/signalman.v1.TaskService/WatchTask";
const CONNECT_TYPE = { "content-type": "application/connect+proto" };
const NOTHING = Buffer.alloc(5);

type Leave = (url: string) => Promise<void>;

/** Each client begins to read, stops, and disconnects silently once the server waits for it. */
const LEAVERS: [string, Leave][] = [
  [
    "HTTP/1.1",
    async (url) => {
      const request = http.request(url + PATH, { method: "POST", headers: CONNECT_TYPE });
      request.on("error", () => {}).end(NOTHING);
      const [response] = (await once(request, "response")) as [http.IncomingMessage];
      response.on("error", () => {});
      await once(response, "readable");
      await waits();
      response.socket.destroy();
    },
  ],
  [
    "HTTP/2, with its stream",
    async (url) => {
      const session = http2.connect(url);
      const stream = session.request({ ":method": "POST", ":path": PATH, ...CONNECT_TYPE });
      stream.on("error", () => {}).end(NOTHING);
      await once(stream, "readable");
      await waits();
      stream.close(http2.constants.NGHTTP2_CANCEL);
      stream.resume();
      await once(stream, "close");
      session.destroy();
    },
  ],
  [
    "HTTP/2, with its connection",
    async (url) => {
      const session = http2.connect(url).on("error", () => {});
      const stream = session.request({ ":method": "POST", ":path": PATH, ...CONNECT_TYPE });
      stream.on("error", () => {}).end(NOTHING);
      await once(stream, "readable");
      await waits();
      session.destroy();
    },
  ],
];

let waits: () => Promise<void>;

test.each(LEAVERS)(
  "a client that leaves in the middle of a message ends its stream: %s",
  async (_, leave) => {
    let sent = 0;
    const ended = Promise.withResolvers<void>();
    async function* watchTask() {
      try {
        for (;;) {
          yield { resumeToken: "x".repeat(1 << 20) };
          sent++;
        }
      } finally {
        ended.resolve();
      }
    }
    await using server = await startServer({ tasks: { watchTask } });
    // Waits until nothing more is sent: the number of messages has not changed for 20 turns.
    waits = async () => {
      for (let before = -1; before !== sent; ) {
        before = sent;
        for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await leave(server.url);
    await ended.promise;
    await expect.poll(() => server.lines.filter(({ msg }) => msg === "rpc")).toHaveLength(1);
  },
);

const HALF = Buffer.from([0, 0, 0, 0, 9, 10]);
const TYPES = [
  ["GetTask", "application/grpc"],
  ["GetTask", "application/grpc-web+proto"],
  ["GetTask", "application/json"],
  ["WatchTask", "application/grpc"],
  ["WatchTask", "application/connect+proto"],
] as const;

/** Each client sends half of its request and disconnects. */
const QUITTERS: [
  string,
  (url: string, path: string, type: string, entered: Promise<void>) => Promise<void>,
][] = [
  [
    "HTTP/1.1",
    async (url, path, type, entered) => {
      const headers = { "content-type": type, "content-length": 14 };
      const request = http.request(url + path, { method: "POST", headers }).on("error", () => {});
      request.write(HALF);
      await entered;
      request.destroy();
    },
  ],
  ...[
    http2.constants.NGHTTP2_CANCEL,
    http2.constants.NGHTTP2_NO_ERROR,
    http2.constants.NGHTTP2_INTERNAL_ERROR,
  ].map((code): (typeof QUITTERS)[number] => [
    `HTTP/2, by a reset with code ${code}`,
    async (url, path, type, entered) => {
      using peer = await openCall(url, path, type);
      await entered;
      await peer.write(frame(TYPE.reset, 0, 1, Buffer.from([0, 0, 0, code])));
    },
  ]),
  [
    "HTTP/2, with its connection",
    async (url, path, type, entered) => {
      using _ = await openCall(url, path, type);
      await entered;
    },
  ],
];

/** Node's own client would end the request before it resets it. */
async function openCall(url: string, path: string, type: string) {
  const peer = openPeer(url);
  await peer.write(frame(TYPE.headers, END_HEADERS, 1, postTo(path, type)));
  await peer.write(frame(TYPE.data, 0, 1, HALF));
  return peer;
}

describe.each(QUITTERS)(
  "a client that leaves in the middle of its request is logged as CANCELED at level info: %s",
  (_, leave) => {
    test.each(TYPES)("%s as %s", async (method, type) => {
      const entered = Promise.withResolvers<void>();
      await using server = await startServer({
        tasks: {},
        isPassing: isTransientError,
        onRequest: (request) => request.once("data", () => entered.resolve()),
      });
      await leave(server.url, `/signalman.v1.TaskService/${method}`, type, entered.promise);
      await expect.poll(() => server.lines).toHaveLength(1);
      expect(server.lines).toEqual([expect.objectContaining({ level: 30, code: "canceled" })]);
    });
  },
);
