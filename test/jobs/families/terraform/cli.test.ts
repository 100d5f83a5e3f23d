import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { cli, startProgram } from "../../../cli/cli.ts";
import { endOf, follow } from "../../../faults/follow.ts";
import { SIGNALMAN } from "../../../support/program.ts";
import { startService, type TestService } from "../../../support/service.ts";
import { makeProject, needsTerraform } from "./project.ts";

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service?.[Symbol.asyncDispose]());
beforeEach(needsTerraform);

const shortOf = ({ name }: { name: string }) => name.replace("projects/demo/tasks", "demo");

test("signalman plan, confirm and reject", async () => {
  await using project = await makeProject(service);
  const server = service.url;
  const task = await project.planned();
  const short = shortOf(task);
  const plan = await cli(["plan", short], { server });
  expect(plan.stdout).toContain('resource "terraform_data" "quick"');
  const alone = await cli(["confirm", short], { server });
  expect(alone.code).toBe(2);
  expect(alone.stderr).toContain("stdin and stderr are no terminal; confirm with --yes or --digest");
  const other = await cli(["confirm", short, "--digest", "0".repeat(64)], { server });
  expect(other.stderr).toContain("not 0000");
  const confirmed = await cli(["confirm", short, "--yes"], { server });
  expect(confirmed).toMatchObject({ code: 0, stdout: `${short} confirmed\n` });
  expect(confirmed.stderr).toContain("1 to add, 0 to change, 0 to destroy, digest ");
  using watcher = follow(service, task.name);
  expect(endOf(await watcher.ended)).toMatchObject({ status: "SUCCESS" });
  const late = await cli(["confirm", short], { server });
  expect(late).toMatchObject({ code: 2, stdout: "" });
  expect(late.stderr).toMatch(/^signalman: .*it is SUCCESS, and only a task in WAITING_CONFIRMATION.*\n$/);
  const next = await project.planned({ variables: { name: "again" } });
  const rejected = await cli(["reject", shortOf(next), "--reason", "no"], { server });
  expect(rejected).toMatchObject({ code: 0, stdout: `${shortOf(next)} rejected\n` });
});

test("signalman run prints how to confirm; a plan that is not confirmed in time is a failed task", async () => {
  await using project = await makeProject(service);
  const server = service.url;
  const running = cli(["run", "demo/infra", "--confirm-timeout", "2s"], { server });
  const { code, stderr } = await running;
  expect(code).toBe(1);
  expect(stderr).toContain("A plan waits for confirmation: 1 to add, 0 to change, 0 to destroy");
  expect(stderr).toMatch(/read the plan and confirm it with: signalman confirm demo\/\S+/);
  expect(await project.applied()).toEqual({});
});

test("signalman confirm asks at a terminal, and applies for a yes alone", async () => {
  await using project = await makeProject(service);
  const task = await project.planned();
  const short = shortOf(task);
  const onTerminal = fileURLToPath(new URL("../../../cli/on-terminal.py", import.meta.url));
  const answer = async (text: string) => {
    const command = ["python3", onTerminal, "50", "200", process.execPath, SIGNALMAN, "confirm", short];
    const run = startProgram(command, { server: service.url, env: { TERM: "dumb" }, keepStdin: true });
    await run.shows("stdout", "Apply this plan?");
    run.child.stdin?.write(`${text}\r`);
    const code = await run.ended;
    return { code, shown: run.stdout.toString() };
  };
  const unsure = await answer("maybe");
  expect(unsure.shown).toContain("1 to add, 0 to change, 0 to destroy");
  expect(unsure).toMatchObject({ code: 1, shown: expect.stringContaining("still waits; reject it with") });
  expect((await project.get(task)).plan?.digest).toBe(task.plan?.digest);
  using watcher = follow(service, task.name);
  expect(await answer("yes")).toMatchObject({
    code: 0,
    shown: expect.stringContaining(`${short} confirmed`),
  });
  expect(endOf(await watcher.ended)).toMatchObject({ status: "SUCCESS" });
});
