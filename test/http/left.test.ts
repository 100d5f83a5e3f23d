import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import { expect, test } from "vitest";
import { startServer } from "./server.ts";

const PATH = "/signalman.v1.TaskService/WatchTask";
const TYPE = { "content-type": "application/connect+proto" };
const NOTHING = Buffer.alloc(5);

type Leave = (url: string) => Promise<void>;

/** Each begins to read, stops, and goes without a word once the server waits for it. */
const LEAVERS: [string, Leave][] = [
  [
    "HTTP/1.1",
    async (url) => {
      const request = http.request(url + PATH, { method: "POST", headers: TYPE });
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
      const stream = session.request({ ":method": "POST", ":path": PATH, ...TYPE });
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
      const stream = session.request({ ":method": "POST", ":path": PATH, ...TYPE });
      stream.on("error", () => {}).end(NOTHING);
      await once(stream, "readable");
      await waits();
      session.destroy();
    },
  ],
];

let waits: () => Promise<void>;

test.each(LEAVERS)(
  "a reader that leaves in the middle of a message ends its stream: %s",
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
    // Nothing more goes out: the same number of messages as 20 turns ago.
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
