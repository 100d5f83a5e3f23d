import { once } from "node:events";
import http2 from "node:http2";
import { describe, expect, test } from "vitest";
import { startServer, type TestServerOptions } from "./server.ts";

const PAGE = "https://app.example.com";
const PATH = "/signalman.v1.TaskService/GetTask";
const getTask = ({ name }: { name: string }) => ({ task: { name } });

const server = (allowedOrigins?: TestServerOptions["allowedOrigins"]) =>
  startServer({ tasks: { getTask }, token: "0123456789abcdef", allowedOrigins });

function preflight(url: string, origin: string) {
  const headers = {
    origin,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type",
  };
  return fetch(url + PATH, { method: "OPTIONS", headers });
}

function call(url: string, origin: string, token = "0123456789abcdef") {
  const headers = { origin, "content-type": "application/json", authorization: `Bearer ${token}` };
  return fetch(url + PATH, { method: "POST", headers, body: '{"name":"x"}' });
}

const listOf = (response: Response, header: string) =>
  response.headers.get(header)?.toLowerCase().split(", ") ?? [];

describe("a page from another origin", () => {
  test("is refused unless the operator allows its origin", async () => {
    await using plain = await server();
    expect(await preflight(plain.url, PAGE)).toMatchObject({ status: 405 });
    const answer = await call(plain.url, PAGE);
    expect([...answer.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
  });

  test("may call if its origin is allowed; its preflight needs no token", async () => {
    await using named = await server(["http://localhost:3000", PAGE]);
    const asked = await preflight(named.url, PAGE);
    expect(asked).toMatchObject({ status: 204 });
    expect(asked.headers.get("access-control-allow-origin")).toBe(PAGE);
    expect(asked.headers.get("vary")).toBe("origin");
    expect(listOf(asked, "access-control-allow-methods")).toContain("post");
    const needed = [
      "content-type",
      "authorization",
      "connect-protocol-version",
      "x-grpc-web",
      "grpc-timeout",
    ];
    expect(listOf(asked, "access-control-allow-headers")).toEqual(
      expect.arrayContaining([...needed, "x-request-id"]),
    );
    const answer = await call(named.url, PAGE);
    expect(answer).toMatchObject({ status: 200 });
    expect(answer.headers.get("access-control-allow-origin")).toBe(PAGE);
    expect(listOf(answer, "access-control-expose-headers")).toEqual(
      expect.arrayContaining(["grpc-status", "grpc-message", "grpc-status-details-bin", "x-request-id"]),
    );
  });

  test("can read error responses too", async () => {
    await using named = await server([PAGE]);
    const refused = await call(named.url, PAGE, "wrong");
    expect(refused).toMatchObject({ status: 401 });
    expect(refused.headers.get("access-control-allow-origin")).toBe(PAGE);
  });

  test("whose origin is not allowed gets no CORS headers, and Vary tells caches that the origin counts", async () => {
    await using named = await server([PAGE]);
    for (const origin of ["https://evil.example", `${PAGE}.evil.example`, "null", "*"]) {
      const asked = await preflight(named.url, origin);
      expect(asked.status).toBe(405);
      expect(asked.headers.get("access-control-allow-origin")).toBeNull();
      expect(asked.headers.get("vary")).toBe("origin");
    }
  });

  test("from any origin is allowed with *", async () => {
    await using open = await server("*");
    expect(
      (await preflight(open.url, "https://any.example")).headers.get("access-control-allow-origin"),
    ).toBe("*");
    expect((await call(open.url, "null")).headers.get("access-control-allow-origin")).toBe("*");
  });

  test("gets its preflight answered over HTTP/2 too", async () => {
    await using named = await server([PAGE]);
    const session = http2.connect(named.url);
    const request = session.request({
      ":method": "OPTIONS",
      ":path": PATH,
      origin: PAGE,
      "access-control-request-method": "POST",
    });
    const [headers] = await once(request, "response");
    expect(headers).toMatchObject({ ":status": 204, "access-control-allow-origin": PAGE });
    session.destroy();
  });
});

test("an OPTIONS request that is not a preflight answers 405", async () => {
  await using named = await server([PAGE]);
  const answer = await fetch(named.url + PATH, { method: "OPTIONS", headers: { origin: PAGE } });
  expect(answer.status).toBe(405);
});
