import { Code, createClient } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { BadRequestSchema } from "../../../gen/google/rpc/error_details_pb.ts";
import { TaskService } from "../../../gen/signalman/v1/task_service_pb.ts";
import { violationsOf } from "../../../src/rpc/rules/check.ts";
import { TRANSPORTS } from "../../http/clients.ts";
import { startServer } from "../../http/server.ts";

describe.each(Object.entries(TRANSPORTS))("over %s", (_, transport) => {
  test("a request that breaks rules does not reach the handler, and each field is named", async () => {
    const runTask = vi.fn(() => ({}));
    await using server = await startServer({ tasks: { runTask }, rules: violationsOf });
    const client = createClient(TaskService, transport(server.url));
    const request = { template: "x", labels: { "a b": "" }, priority: 101 };
    const error = await client.runTask(request).catch((e) => e);
    expect(error.code).toBe(Code.InvalidArgument);
    const fields = error
      .findDetails(BadRequestSchema)[0]
      .fieldViolations.map((v: { field: string }) => v.field);
    expect(fields).toEqual(["template", 'labels["a b"]', "priority"]);
    expect(runTask).not.toHaveBeenCalled();
    await client.runTask({ template: "projects/demo/templates/x" });
    expect(runTask).toHaveBeenCalledOnce();
  });

  test("a request of a stream that breaks rules does not reach the handler", async () => {
    const watchTask = vi.fn(async function* () {
      yield {};
    });
    await using server = await startServer({ tasks: { watchTask }, rules: violationsOf });
    const client = createClient(TaskService, transport(server.url));
    const stream = client.watchTask({ name: "x" })[Symbol.asyncIterator]();
    await expect(stream.next()).rejects.toMatchObject({ code: Code.InvalidArgument });
    expect(watchTask).not.toHaveBeenCalled();
  });
});

test("a request is validated only after its token was checked", async () => {
  const rules = vi.fn(() => []);
  await using server = await startServer({ token: "t", rules, tasks: { runTask: () => ({}) } });
  const client = createClient(TaskService, TRANSPORTS.gRPC(server.url));
  await expect(client.runTask({})).rejects.toMatchObject({ code: Code.Unauthenticated });
  expect(rules).not.toHaveBeenCalled();
  await client.runTask({}, { headers: { authorization: "Bearer t" } });
  expect(rules).toHaveBeenCalledOnce();
});
