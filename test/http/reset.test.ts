import { once } from "node:events";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { startServer } from "./server.ts";

const WATCH =
  "POST /signalman.v1.TaskService/WatchTask HTTP/1.1\r\nhost: x\r\ncontent-type: application/connect+proto\r\n" +
  "content-length: 5\r\n\r\n\0\0\0\0\0";

test.each([1, 3])(
  "a client of HTTP/1.1 that disconnects cancels its %i calls, which are not logged as errors of the server",
  async (calls) => {
    let begun = 0;
    async function* watchTask() {
      begun++;
      for (;;) yield { resumeToken: "x".repeat(1 << 20) };
    }
    await using server = await startServer({ tasks: { watchTask } });
    const { host, port } = server.port.address;
    const socket = connect(port, host);
    // The calls are pipelined, without waiting for responses.
    socket.write(WATCH.repeat(calls));
    await once(socket, "readable");
    await expect.poll(() => begun).toBe(calls);
    // The socket sends a reset, since it has unread bytes.
    socket.destroy();
    await expect.poll(() => server.lines.filter(({ msg }) => msg === "rpc")).toHaveLength(calls);
    await server.stop();
    expect(server.lines.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  },
);
