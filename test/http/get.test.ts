import { request } from "node:http";
import http2 from "node:http2";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { startServer } from "./server.ts";

const tasks = { getTask: ({ name }: { name: string }) => ({ task: { name } }) };
const PATH = `/signalman.v1.TaskService/GetTask?connect=v1&encoding=json&message=${encodeURIComponent('{"name":"x"}')}`;

/** Status and body of a GET, whose Host, unlike with fetch(), is whatever `headers` say. */
function get(url: string, headers: Record<string, string>): Promise<{ status?: number; text: string }> {
  return new Promise((resolve, reject) => {
    const call = request(url + PATH, { headers }, async (response) => {
      const text = (await Array.fromAsync(response)).join("");
      resolve({ status: response.statusCode, text });
    });
    call.on("error", reject).end();
  });
}

test("a read answers GET with headers that forbid caching", async () => {
  await using server = await startServer({ tasks });
  const response = await fetch(server.url + PATH);
  expect(await response.json()).toEqual({ task: { name: "x" } });
  expect(response.headers.get("cache-control")).toBe("no-store");
  for (const useBinaryFormat of [true, false]) {
    const transport = createConnectTransport({
      baseUrl: server.url,
      httpVersion: "1.1",
      useHttpGet: true,
      useBinaryFormat,
    });
    expect((await createClient(TaskService, transport).getTask({ name: "y" })).task?.name).toBe("y");
  }
});

test.each([
  "localhost:1",
  "a.localhost",
  "127.0.0.1",
  "[::1]:8480",
  "192.0.2.7:80",
  "ci.example.com",
  "CI.example.com:443",
])("GET with the known host %s is answered", async (host) => {
  await using server = await startServer({ tasks, hosts: { checked: false, names: ["ci.example.com"] } });
  expect(await get(server.url, { host })).toMatchObject({ status: 200 });
});

test.each(["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8480"])(
  "GET with the host %s, which may have been pointed here, is refused",
  async (host) => {
    await using server = await startServer({ tasks, hosts: { checked: false, names: ["ci.example.com"] } });
    const { status, text } = await get(server.url, { host });
    expect(status).toBe(403);
    expect(JSON.parse(text)).toMatchObject({
      code: "permission_denied",
      message: `GET for an unknown host is refused; got Host "${host}", expected one of localhost, IP addresses, ci.example.com; call by POST`,
    });
  },
);

test("a read answers GET over HTTP/2 too", async () => {
  await using server = await startServer({ tasks });
  const session = http2.connect(server.url);
  const statusOf = (authority: string) =>
    new Promise((resolve) =>
      session
        .request({ ":path": PATH, ":authority": authority })
        .on("response", (headers) => resolve(headers[":status"])),
    );
  expect([await statusOf("localhost"), await statusOf("evil.example")]).toEqual([200, 403]);
  session.destroy();
});

test.each([
  ["same-origin", 200],
  ["same-site", 403],
  ["cross-site", 403],
  ["none", 403],
])("GET with Sec-Fetch-Site: %s gets status %d", async (site, status) => {
  await using server = await startServer({ tasks });
  expect(await get(server.url, { "sec-fetch-site": site })).toMatchObject({ status });
});
