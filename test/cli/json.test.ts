import { writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createProgram } from "../../src/cli/program.ts";
import { makeProject, needsTerraform } from "../jobs/families/terraform/project.ts";
import { applyDemo, runDemo, watchToEnd } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { cli } from "./cli.ts";

let service: TestService;
let catalog: string;
beforeAll(async () => {
  service = await startService();
  catalog = join(service.dataDir, "catalog.yaml");
  await writeFile(catalog, "project:\n  name: other\n");
});
beforeEach(async () => {
  await applyDemo(service, { fine: "echo one; echo two >&2", fail: "exit 3", long: "exec sleep 600" });
});
afterAll(() => service?.[Symbol.asyncDispose]());

const ended = async () => {
  const { name } = await runDemo(service, "fine");
  await watchToEnd(service, name);
  return name;
};
const running = async () => (await runDemo(service, "long")).name;

type Arguments = () => string[] | Promise<string[]>;
/** Arguments for each command that calls the server. */
const COMMANDS: Record<string, Arguments[]> = {
  apply: [() => [catalog], () => [catalog, "--dry-run"]],
  export: [() => ["demo"]],
  run: [
    () => ["demo/fine"],
    () => ["demo/fail"],
    () => ["demo/fine", "--no-watch"],
    () => ["demo/fine", "--dry-run"],
  ],
  watch: [async () => [await ended()], async () => [await ended(), "--tail", "1"]],
  kill: [async () => [await running()], () => ["--template", "demo/long"]],
  delete: [async () => [await ended()]],
  get: [async () => [await ended()]],
  list: [() => [], () => ["demo", "--limit", "2"]],
  logs: [async () => [await ended()], async () => [await ended(), "--tail", "1", "--stream", "stdout"]],
  apps: [() => []],
  account: [() => ["create", "ci"], () => ["list"]],
  token: [() => ["create", "ci/deploys"], () => ["list", "ci"]],
  audit: [() => []],
  nodes: [() => []],
  drain: [() => [hostname()]],
  undrain: [() => [hostname()]],
};
/** Arguments for the commands that work on a plan. */
const DECISIONS: Record<string, string[]> = { plan: [], confirm: ["--yes"], reject: ["--reason", "no"] };
/** Commands that call no server, so print no messages. */
const LOCAL = ["serve", "rotate-secrets", "completion", "help"];

test("each command is tested here, or is known to call no server", () => {
  const program = createProgram();
  const names = program
    .createHelp()
    .visibleCommands(program)
    .map((command) => command.name());
  expect(names.toSorted()).toEqual(
    [...Object.keys(COMMANDS), ...Object.keys(DECISIONS), ...LOCAL].toSorted(),
  );
});

/** Runs a command and expects that it prints JSON objects alone, one per line. */
async function expectJson(name: string, args: string[]): Promise<void> {
  const { code, stdout, stderr } = await cli([name, ...args, "--json"], { server: service.url });
  expect(code, stderr).toBeLessThan(2);
  expect(stdout).toMatch(/^$|\n$/);
  const messages = stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
  for (const message of messages) expect(message).toEqual(expect.any(Object));
  expect(messages.length).toBeGreaterThan(0);
}

describe("with --json stdout has only messages, one per line", () => {
  const cases = Object.entries(COMMANDS).flatMap(([name, calls]) =>
    calls.map((args, i) => ({ name, args, nth: i + 1 })),
  );
  test.each(cases)("signalman $name, call $nth", async ({ name, args }) => {
    await expectJson(name, await args());
  });

  test.for(Object.entries(DECISIONS))("signalman %s", async ([name, args], context) => {
    needsTerraform(context);
    await using project = await makeProject(service);
    const task = await project.planned();
    await expectJson(name, [task.name, ...args]);
    if (name === "plan") await expectJson("kill", [task.name]);
    await watchToEnd(service, task.name);
  });

  test("prints no error to stdout", async () => {
    const args = ["get", "demo/0192f0c1-0000-7000-8000-000000000001", "--json"];
    expect(await cli(args, { server: service.url })).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringContaining("There is no"),
    });
  });
});
