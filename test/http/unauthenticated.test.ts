import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { TRANSPORTS } from "./clients.ts";
import { startServer } from "./server.ts";

const TOKEN = "0123456789abcdef";
const PAGE = "https://app.example.com";
let server: Awaited<ReturnType<typeof startServer>>;

beforeAll(async () => {
  server = await startServer({
    token: TOKEN,
    allowedOrigins: [PAGE],
    tasks: {
      getTask: ({ name }) => ({ task: { name } }),
      async *watchTask() {
        yield { resumeToken: "1" };
      },
    },
  });
});
afterAll(() => server.stop());

describe.each(Object.entries(TRANSPORTS))("a caller without a token, over %s", (_, transport) => {
  const client = () => createClient(TaskService, transport(server.url));
  const refusalOf = async (call: Promise<unknown>) => {
    const error = ConnectError.from(
      await call.then(
        () => undefined,
        (thrown: unknown) => thrown,
      ),
    );
    return {
      code: error.code,
      reason: error.findDetails(ErrorInfoSchema)[0]?.reason,
      text: error.rawMessage,
    };
  };
  const REFUSED = {
    code: Code.Unauthenticated,
    reason: "TOKEN_MISSING",
    text: "The header `authorization: Bearer TOKEN` is missing; send it with a token of this server or of an account",
  };

  test("without a token a unary call is refused", async () => {
    expect(await refusalOf(client().getTask({ name: "x" }))).toEqual(REFUSED);
  });

  test("without a token a stream is refused", async () => {
    expect(await refusalOf(Array.fromAsync(client().watchTask({ name: "x" })))).toEqual(REFUSED);
  });

  test("with the token both are served", async () => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    expect((await client().getTask({ name: "x" }, { headers })).task?.name).toBe("x");
    expect(await Array.fromAsync(client().watchTask({}, { headers }), (e) => e.resumeToken)).toEqual(["1"]);
  });
});

const PATH = "/signalman.v1.TaskService/GetTask";

describe("a call without a token", () => {
  test("is refused over HTTP/1.1 before its body arrives, with the CORS header of an allowed page", async () => {
    const { hostname, port } = new URL(server.url);
    const socket = net.connect(Number(port), hostname);
    socket.write(
      `POST ${PATH} HTTP/1.1\r\nhost: localhost\r\norigin: ${PAGE}\r\ncontent-type: application/json\r\n` +
        "x-request-id: mine\r\ncontent-length: 4000000\r\n\r\n{",
    );
    const [head] = (await once(socket, "data")) as [Buffer];
    socket.destroy();
    expect(`${head}`).toMatch(/^HTTP\/1.1 401 /);
    expect(`${head}`).toMatch(/access-control-allow-origin: https:\/\/app.example.com\r\n/i);
    expect(`${head}`).toMatch(/www-authenticate: Bearer\r\n/i);
    expect(`${head}`).toMatch(/x-request-id: mine\r\n/i);
  });

  test.each(["application/grpc", "application/json", "application/connect+json"])(
    "is refused over HTTP/2 before its body arrives: %s",
    async (type) => {
      const session = http2.connect(server.url);
      const stream = session.request({ ":method": "POST", ":path": PATH, "content-type": type });
      const [headers] = (await once(stream, "response")) as [http2.IncomingHttpHeaders];
      const ended = once(stream, "close");
      stream.resume();
      await ended;
      session.destroy();
      expect(headers[":status"]).toBe(type === "application/json" ? 401 : 200);
    },
  );

  test("is refused before its body is decompressed or parsed", async () => {
    const answer = await fetch(server.url + PATH, {
      method: "POST",
      headers: { "content-type": "application/json", "content-encoding": "gzip" },
      body: "neither gzip nor JSON",
    });
    expect(answer.status).toBe(401);
    expect(await answer.json()).toMatchObject({ code: "unauthenticated" });
  });
});
