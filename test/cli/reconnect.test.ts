import { once } from "node:events";
import { createServer } from "node:http2";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { applyDemo, runDemo } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { cli, startCli } from "./cli.ts";
import { dispose } from "./end-tasks.ts";

let service: TestService;

beforeAll(async () => {
  service = await startService();
  await applyDemo(service, {
    count: { script: "for i in $(seq 1 150); do echo $i; sleep 0.02; done", allowParallelTasks: true },
  });
});
afterAll(() => dispose(service));

const COUNTED = Array.from({ length: 150 }, (_, i) => `${i + 1}\n`).join("");

describe("a watch", () => {
  test("goes on after its server was killed and started again, with every line once", async () => {
    const run = startCli(["run", "demo/count"], { server: service.url });
    await run.shows("stdout", "\n20\n");
    await service.kill("SIGKILL");
    await run.shows("stderr", "the connection broke");
    await service.start();
    await run.shows("stderr", "connected again");
    expect(await run.ended).toBe(0);
    expect(run.stdout.toString()).toBe(COUNTED);
  });

  test("goes on after its server was shut down", async () => {
    const run = startCli(["run", "demo/count"], { server: service.url });
    await run.shows("stdout", "\n20\n");
    await service.kill("SIGTERM");
    await run.shows("stderr", "This server is shutting down");
    await service.start();
    expect(await run.ended).toBe(0);
    expect(run.stdout.toString()).toBe(COUNTED);
  });

  test("begins with the last lines on demand", async () => {
    const { name } = await runDemo(service, "count");
    expect((await cli(["watch", name], { server: service.url })).stdout).toBe(COUNTED);
    const { stdout } = await cli(["watch", name, "--tail", "3"], { server: service.url });
    expect(stdout).toMatch(/150\n$/);
    expect(stdout.split("\n").length).toBeLessThanOrEqual(4);
  });
});

describe("the first connection", () => {
  test("is tried for a while: a server that starts later is found", async () => {
    // A small server that listens at once, since a whole server may take longer to start than the command waits.
    const door = createTcpServer((client) => {
      const server = connect(Number(new URL(service.url).port), "127.0.0.1");
      client.pipe(server).pipe(client);
      for (const socket of [client, server]) socket.on("error", () => {});
    });
    await once(door.listen(0, "127.0.0.1"), "listening");
    const { port } = door.address() as AddressInfo;
    await once(door.close(), "close");
    const list = startCli(["list", "demo"], { server: `http://127.0.0.1:${port}` });
    await list.shows("stderr", "signalman: waiting for http://127.0.0.1:");
    door.listen(port, "127.0.0.1");
    expect(await list.ended).toBe(0);
    expect(list.stdout.toString()).toMatch(/^TASK /);
    door.close();
  });

  test("ends with 2 and advice after 10 s", async () => {
    const started = performance.now();
    const { code, stderr } = await cli(["list"], { server: "127.0.0.1:1" });
    expect(code).toBe(2);
    expect(performance.now() - started).toBeGreaterThan(9000);
    expect(stderr).toMatch(/^signalman: cannot reach 127.0.0.1:1: connect ECONNREFUSED/m);
    expect(stderr).toContain("signalman serve");
  });

  test("a server that does not speak gRPC is an error at once", async () => {
    const other = createServer((_, response) => response.end("hello"));
    other.listen(0, "127.0.0.1");
    await once(other, "listening");
    const server = `127.0.0.1:${(other.address() as AddressInfo).port}`;
    const { code, stderr } = await cli(["list"], { server });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^signalman: .*content type/m);
    other.close();
  });
});
