import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TaskService } from "../../../gen/signalman/v1/task_service_pb.ts";
import type { RpcDeps } from "../../../src/rpc/routes.ts";
import { blankTask, type NewTask, type TaskView } from "../../../src/store/tasks/tasks.ts";
import { ROOT } from "../../../src/task/caller.ts";
import { newTask } from "../../store/fixture.ts";
import { applyDemo, type DemoService, runDemo } from "../../support/demo.ts";
import { inMemory } from "../../support/in-memory.ts";
import { startService, type TestService } from "../../support/service.ts";

const NAME = "projects/p/tasks/01a20a8f-a03f-7f1e-aba5-29fd1ad73196";
const TOKEN = "a-token-of-many-letters";
const view = (more: Partial<TaskView> = {}): TaskView => ({
  ...blankTask(newTask("t")),
  id: NAME.slice(17),
  ...more,
});

describe.each([
  { caller: "anonymous", options: {} },
  { caller: "root", options: { caller: ROOT } },
])("a call of $caller", ({ caller, options }) => {
  /** Creates a server whose handlers record the caller of a call. */
  const server = (deps: Partial<RpcDeps>) =>
    inMemory(
      { operatorLog: { step() {} }, onCreated() {}, onChanged() {}, onDecided() {}, ...deps },
      options,
    )(TaskService);

  test("is recorded with a task that it creates", async () => {
    const template = {
      template: { app: "bash", repository: "projects/p/repositories/r" },
      repository: { url: "/r" },
    };
    const tasks = server({
      loadTemplate: async () => ({ ...template, environment: null }),
      createTask: async (task: NewTask) => ({ task: { ...blankTask(task), id: "x" }, deduplicated: false }),
      cipher: { seal: () => Buffer.alloc(0), open: () => "", hash: () => Buffer.alloc(0) },
    });
    const { task } = await tasks.runTask({ template: "projects/p/templates/t" });
    expect(task?.createdBy).toBe(caller);
  });

  test("is recorded with a kill request", async () => {
    const tasks = server({
      requestKill: async (_, { by }) => ({
        task: view({ killTime: new Date(), killBy: by }),
        outcome: "KILL_REQUESTED",
      }),
    });
    expect((await tasks.killTask({ name: NAME })).task?.kill?.by).toBe(caller);
  });

  test("is recorded with the kill requests for a template's tasks", async () => {
    const asked: string[] = [];
    const tasks = server({
      async killTemplate(_, { by }) {
        asked.push(by);
        return [];
      },
    });
    await tasks.killTasks({ template: "projects/p/templates/t" });
    expect(asked).toEqual([caller]);
  });

  test("is recorded with a decision on a plan", async () => {
    const plan = { digest: "d".repeat(64), add: 1, change: 0, destroy: 0 };
    const tasks = server({
      confirmPlan: async (_task, _digest, by) => view({ plan, decidedBy: by }),
      rejectPlan: async (_task, _reason, by) => view({ plan, decidedBy: by }),
    });
    const { task: confirmed } = await tasks.confirmTask({ name: NAME, planDigest: plan.digest });
    const { task: rejected } = await tasks.rejectTask({ name: NAME });
    expect([confirmed?.plan?.decidedBy, rejected?.plan?.decidedBy]).toEqual([caller, caller]);
  });
});

describe("a server with a token", () => {
  let service: TestService;
  let demo: DemoService;
  beforeAll(async () => {
    service = await startService({ env: { SIGNALMAN_TOKEN: TOKEN } });
    const transport = createGrpcTransport({
      baseUrl: service.url,
      interceptors: [
        (next) => (request) => {
          request.header.set("authorization", `Bearer ${TOKEN}`);
          return next(request);
        },
      ],
    });
    demo = { dataDir: service.dataDir, client: (desc) => createClient(desc, transport) };
    await applyDemo(demo, {
      sleep: "echo here; exec sleep 1000",
      build: { script: "true", type: 2, startVersion: "1" },
      deploy: { script: "true", type: 3, buildTemplate: "build", autorun: true },
    });
  });
  afterAll(() => service[Symbol.asyncDispose]());

  test("is shown in a task and its statuses as creator and killer", async () => {
    const tasks = demo.client(TaskService);
    const { name, createdBy } = await runDemo(demo, "sleep");
    expect(createdBy).toBe("root");
    const told: string[] = [];
    for await (const { event } of tasks.watchTask({ name })) {
      if (event.case === "log") await tasks.killTask({ name });
      if (event.case === "status") told.push(`${event.value.status} ${event.value.by}`);
      if (event.case === "end") expect(event.value.task?.kill?.by).toBe("root");
    }
    expect(told).toEqual(["1 root", "2 ", "3 ", "7 root", "8 "]);
    const { tasks: listed } = await tasks.listTasks({ parent: "projects/demo" });
    expect(listed.map((task) => task.createdBy)).toEqual(["root"]);
  });

  test("who created a build is the creator of the deploys that it starts", async () => {
    const tasks = demo.client(TaskService);
    const { name } = await runDemo(demo, "build");
    const list = async () =>
      (await tasks.listTasks({ parent: "projects/demo", filter: "template = deploy" })).tasks;
    await expect
      .poll(async () => (await list()).map(({ createdBy, buildTask }) => [createdBy, buildTask]))
      .toEqual([["root", name]]);
  });
});
