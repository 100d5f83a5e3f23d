import { once } from "node:events";
import { Agent, request } from "node:http";
import { connect, type Socket } from "node:net";
import { expect, test } from "vitest";
import { startServer } from "./server.ts";

const LENGTH = 5 << 20;

/** Sends the head of a request that is refused, and waits for the answer. */
async function refused(port: number, path: string) {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  let answer = "";
  let trouble: Error | undefined;
  socket.on("data", (data) => {
    answer += data;
  });
  socket.on("error", (error) => {
    trouble = error;
  });
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${LENGTH}\r\n\r\n`,
  );
  await once(socket, "end");
  return { socket, answer, trouble: () => trouble };
}

test.each([
  ["/signalman.v1.TaskService/GetTask", "resource_exhausted"],
  ["/signalman.v1.TaskService/None", "unimplemented"],
])("a connection that closes behind the answer takes the rest of the request: %s", async (path, code) => {
  await using server = await startServer({ tasks: { getTask: () => ({}) } });
  const { socket, answer, trouble } = await refused(server.port.address.port, path);
  expect(answer).toContain(code);
  socket.end(Buffer.alloc(LENGTH));
  await once(socket, "close");
  expect(trouble()).toBeUndefined();
});

test("a connection closes after 20,000 requests as it does after one", async () => {
  await using server = await startServer({});
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = async (headers: Record<string, string>) => {
    const sent = request({ port: server.port.address.port, path: "/none", agent, headers });
    const [response] = await once(sent.end(), "response");
    response.resume();
    await once(response, "end");
    return { isReused: sent.reusedSocket, socket: sent.socket };
  };
  for (let number = 0; number < 20_000; number++) await ask({});
  const { isReused, socket } = await ask({ connection: "close" });
  expect(isReused).toBe(true);
  if (!socket?.closed) await once(socket as Socket, "close");
});

test("a connection whose peer neither sends nor closes after the response is closed by the server", async () => {
  await using server = await startServer({ patienceMs: 50 });
  const { socket } = await refused(server.port.address.port, "/none");
  await server.port.close(2 ** 31 - 1);
  socket.destroy();
});
