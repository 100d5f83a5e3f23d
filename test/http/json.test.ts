import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { startServer } from "./server.ts";

const getTask = ({ name }: { name: string }) => ({ task: { name } });

/** Sends a request as curl does. */
function post(url: string, method: string, body: string, headers: Record<string, string> = {}) {
  return fetch(`${url}/signalman.v1.TaskService/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
  });
}

async function errorOf(response: Response) {
  const { code, message, details } = (await response.json()) as {
    code: string;
    message: string;
    details: { type: string; debug: { reason?: string } }[];
  };
  const info = details.find((detail) => detail.type === "google.rpc.ErrorInfo");
  return { status: response.status, code, message, reason: info?.debug.reason };
}

describe("JSON over HTTP/1.1", () => {
  test("calls a method", async () => {
    await using server = await startServer({ tasks: { getTask } });
    const response = await post(server.url, "GetTask", '{"name":"x"}');
    expect(await response.json()).toEqual({ task: { name: "x" } });
    expect(response.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("refuses invalid JSON with a description, and logs the refusal without quoting the request", async () => {
    await using server = await startServer({ tasks: { getTask } });
    const error = await errorOf(await post(server.url, "GetTask", '{"name": secret'));
    expect(error).toMatchObject({ status: 400, code: "invalid_argument", reason: "INVALID_ARGUMENT" });
    expect(server.lines).toContainEqual(
      expect.objectContaining({ method: "signalman.v1.TaskService/GetTask", code: "invalid_argument" }),
    );
    expect(JSON.stringify(server.lines)).not.toContain("secret");
  });

  test("refuses an unknown field instead of ignoring it", async () => {
    await using server = await startServer({ tasks: { getTask } });
    const error = await errorOf(await post(server.url, "GetTask", '{"nmae":"x"}'));
    expect(error).toMatchObject({ status: 400, message: expect.stringContaining("nmae") });
  });

  test("names the accepted content types when it refuses another one", async () => {
    await using server = await startServer({ tasks: { getTask } });
    const form = { "content-type": "application/x-www-form-urlencoded" };
    const error = await errorOf(await post(server.url, "GetTask", "{}", form));
    expect(error).toMatchObject({ status: 415, code: "invalid_argument" });
    expect(error.message).toMatch(/Unsupported content type application\/x-www-form-urlencoded; send JSON /);
  });

  test("accepts compressed requests", async () => {
    await using server = await startServer({ tasks: { getTask } });
    const response = await fetch(`${server.url}/signalman.v1.TaskService/GetTask`, {
      method: "POST",
      headers: { "content-type": "application/json", "content-encoding": "gzip" },
      body: gzipSync('{"name":"x"}'),
    });
    expect(await response.json()).toEqual({ task: { name: "x" } });
  });

  test("names the HTTP methods of an RPC when it refuses another one, also in the header Allow", async () => {
    await using server = await startServer({ tasks: { getTask } });
    const call = (method: string, rpc: string) =>
      fetch(`${server.url}/signalman.v1.TaskService/${rpc}`, { method });
    const write = await call("GET", "RunTask");
    expect(write.headers.get("allow")).toBe("POST");
    expect(await errorOf(write)).toMatchObject({
      status: 405,
      message: "Unsupported HTTP method GET; call this RPC by POST",
    });
    expect((await call("GET", "WatchTask")).headers.get("allow")).toBe("POST");
    const read = await call("PUT", "GetTask");
    expect([read.status, read.headers.get("allow")]).toEqual([405, "GET, POST"]);
  });

  test("answers 404 for an unknown RPC", async () => {
    await using server = await startServer();
    const error = await errorOf(await post(server.url, "NoSuchMethod", "{}"));
    expect(error).toMatchObject({ status: 404, code: "unimplemented", reason: "UNIMPLEMENTED" });
    expect(error.message).toContain("/signalman.v1.TaskService/NoSuchMethod");
  });

  test("keeps the caller's request id only if it is safe to log", async () => {
    await using server = await startServer({ tasks: { getTask } });
    const kept = await post(server.url, "GetTask", "{}", { "x-request-id": "build-7/3" });
    expect(kept.headers.get("x-request-id")).toBe("build-7/3");
    const replaced = await post(server.url, "GetTask", "{}", { "x-request-id": "a b <script>" });
    expect(replaced.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe("a server without tokens", () => {
  test("refuses calls from pages of other hosts", async () => {
    await using server = await startServer({ tasks: { getTask } });
    const error = await errorOf(await post(server.url, "GetTask", "{}", { origin: "http://evil.example" }));
    expect(error).toMatchObject({ status: 401, reason: "ORIGIN_REFUSED" });
    const own = await post(server.url, "GetTask", "{}", { origin: "http://localhost:3000" });
    expect(own.status).toBe(200);
  });
});

describe("a server with a token", () => {
  test("requires it of calls, but not of health checks", async () => {
    await using server = await startServer({ tasks: { getTask }, token: "s3cret" });
    const missing = await errorOf(await post(server.url, "GetTask", "{}"));
    expect(missing).toMatchObject({ status: 401, code: "unauthenticated", reason: "TOKEN_MISSING" });
    const wrong = await errorOf(await post(server.url, "GetTask", "{}", { authorization: "Bearer s3cre" }));
    expect(wrong).toMatchObject({ status: 401, reason: "TOKEN_WRONG" });
    const right = await post(server.url, "GetTask", "{}", { authorization: "bearer s3cret" });
    expect(right.status).toBe(200);
    const health = await fetch(`${server.url}/grpc.health.v1.Health/Check`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    expect(await health.json()).toEqual({ status: "SERVING" });
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });
});
