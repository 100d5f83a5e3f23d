import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { cli } from "../cli/cli.ts";
import { endOf, follow } from "../faults/follow.ts";
import { startService, type TestService } from "../helpers/service.ts";
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
  expect(alone.stderr).toContain("There is no terminal to ask at: confirm with --yes or --digest");
  const other = await cli(["confirm", short, "--digest", "0".repeat(64)], { server });
  expect(other.stderr).toContain("not 0000");
  const confirmed = await cli(["confirm", short, "--yes"], { server });
  expect(confirmed).toMatchObject({ code: 0, stdout: `${short} confirmed\n` });
  expect(confirmed.stderr).toContain("1 to add, 0 to change, 0 to destroy, digest ");
  using watcher = follow(service, task.name);
  expect(endOf(await watcher.ended)).toMatchObject({ status: "SUCCESS" });
  const next = await project.planned({ variables: { name: "again" } });
  const rejected = await cli(["reject", shortOf(next), "--reason", "no"], { server });
  expect(rejected).toMatchObject({ code: 0, stdout: `${shortOf(next)} rejected\n` });
});

test("signalman run says how to decide; a plan that nobody confirmed is a failed task", async () => {
  await using project = await makeProject(service);
  const server = service.url;
  const running = cli(["run", "demo/infra", "--confirm-timeout", "2s"], { server });
  const { code, stderr } = await running;
  expect(code).toBe(1);
  expect(stderr).toContain("A plan waits for confirmation: 1 to add, 0 to change, 0 to destroy");
  expect(stderr).toMatch(/look at it and decide with: signalman confirm demo\/\S+/);
  expect(await project.applied()).toEqual({});
});
