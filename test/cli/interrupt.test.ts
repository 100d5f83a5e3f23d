import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TaskStatus } from "../../gen/signalman/v1/task_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { applyDemo } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { type Cli, cli, startCli } from "./cli.ts";
import { dispose } from "./end-tasks.ts";

let service: TestService;
let server: string;

beforeAll(async () => {
  service = await startService();
  server = service.url;
  const loop = "echo started; while :; do sleep 0.05; done";
  await applyDemo(service, {
    polite: { script: `trap 'echo bye; exit 7' TERM; ${loop}`, allowParallelTasks: true },
    stubborn: { script: `trap '' TERM; ${loop}`, allowParallelTasks: true },
  });
});
afterAll(() => dispose(service));

async function running(template: string, ...options: string[]): Promise<{ run: Cli; task: string }> {
  const run = startCli(["run", `demo/${template}`, ...options], { server });
  await run.shows("stdout", "started");
  return { run, task: /demo\/[0-9a-f-]{36}/.exec(run.stderr)?.[0] ?? "" };
}

const statusOf = async (task: string) => {
  const name = task.replace("/", "/tasks/");
  return (await service.client(TaskService).getTask({ name: `projects/${name}` })).task?.status;
};

describe("Ctrl-C, in a pipe", () => {
  test("once: leaves the task running, prints the command that watches it again, and exits with 130", async () => {
    const { run, task } = await running("polite");
    run.child.kill("SIGINT");
    await run.shows("stderr", "Ctrl-C again within 2 s kills it");
    expect(await run.ended).toBe(130);
    expect(run.stderr).toContain(`left: the task goes on; come back with: signalman watch ${task}`);
    expect(await statusOf(task)).toBe(TaskStatus.RUNNING);

    const watch = startCli(["watch", task], { server });
    await watch.shows("stdout", "started");
    await cli(["kill", task], { server });
    expect(await watch.ended).toBe(3);
    expect(watch.stdout.toString()).toBe("started\nbye\n");
  });

  test("twice: kills the task, watches it to its end and exits with 3", async () => {
    const { run, task } = await running("polite");
    run.child.kill("SIGINT");
    await run.shows("stderr", "Ctrl-C again");
    run.child.kill("SIGINT");
    expect(await run.ended).toBe(3);
    expect(run.stdout.toString()).toBe("started\nbye\n");
    expect(run.stderr).toMatch(/STOPPED after/);
    expect(await statusOf(task)).toBe(TaskStatus.STOPPED);
  });

  test("three times: leaves at once although the task is still ending", async () => {
    const { run, task } = await running("stubborn", "--json");
    run.child.kill("SIGINT");
    await run.shows("stderr", "Ctrl-C again");
    run.child.kill("SIGINT");
    await run.shows("stdout", "TASK_STATUS_STOPPING");
    run.child.kill("SIGINT");
    expect(await run.ended).toBe(130);
    expect(run.stderr).toContain("the task is being killed");
    await cli(["kill", task, "--force"], { server });
  });

  test("SIGTERM leaves at once, with 143", async () => {
    const { run, task } = await running("polite");
    run.child.kill("SIGTERM");
    expect(await run.ended).toBe(143);
    expect(await statusOf(task)).toBe(TaskStatus.RUNNING);
    await cli(["kill", task, "--force"], { server });
  });
});
