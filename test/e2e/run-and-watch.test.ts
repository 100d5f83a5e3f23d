import { afterAll, beforeAll, expect, test } from "vitest";
import { LogStream, TaskStatus } from "../../gen/signalman/v1/task_pb.ts";
import { applyDemo, bytesOf, endOf, runDemo, watchToEnd } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";

let service: TestService;
beforeAll(async () => {
  service = await startService();
  await applyDemo(service, { hello: "echo out; echo err >&2; exit 0", fails: "exit 3" });
});
afterAll(() => service[Symbol.asyncDispose]());

test("a script runs, and its lines and statuses are watched up to its end", async () => {
  const { name } = await runDemo(service, "hello");
  const events = await watchToEnd(service, name);
  expect(bytesOf(events, LogStream.STDOUT).toString()).toBe("out\n");
  expect(bytesOf(events, LogStream.STDERR).toString()).toBe("err\n");
  expect(endOf(events).status).toBe(TaskStatus.SUCCESS);
  expect(endOf(events).end?.exitCode).toBe(0);
});

test("a script that fails is data, not an RPC error", async () => {
  const { name } = await runDemo(service, "fails");
  const task = endOf(await watchToEnd(service, name));
  expect(task.status).toBe(TaskStatus.ERROR);
  expect(task.end?.exitCode).toBe(3);
});
