import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CatalogService } from "../../../../gen/signalman/v1/catalog_service_pb.ts";
import { TaskService } from "../../../../gen/signalman/v1/task_service_pb.ts";
import { cli } from "../../../cli/cli.ts";
import { follow } from "../../../faults/follow.ts";
import { OPEN_TO_CALLERS } from "../../../support/demo.ts";
import { startService, type TestService } from "../../../support/service.ts";
import { needsTerraform } from "./project.ts";

const CONFIGURATION = `
variable "word" { default = "one" }
variable "pin" { default = "" }
output "word" { value = var.word }
output "numbers" { value = [1, 1.5, 9007199254740993] }
output "deep" { value = { a = { b = [true, null, "x"] } } }
output "leak" { value = "with \${var.pin}" }
output "password" {
  value     = "s3cret-of-the-state"
  sensitive = true
}
`;

let service: TestService;
let root: string;
beforeAll(async () => {
  service = await startService();
  root = mkdtempSync(join(tmpdir(), "signalman-outputs-"));
  for (const [name, text] of [
    ["fine", CONFIGURATION],
    ["broken", "resource {"],
  ] as const) {
    mkdirSync(join(root, name));
    writeFileSync(join(root, name, "main.tf"), text);
  }
  const settings = (state: string) =>
    ({
      case: "terraform",
      value: {
        allowAutoApprove: true,
        backend: { type: "local", config: { path: join(root, `${state}.tfstate`) } },
      },
    }) as const;
  await service.client(CatalogService).applyCatalog({
    catalog: {
      project: { name: "demo" },
      repositories: [{ name: "files", url: root }],
      templates: ["fine", "broken", "confirmed", "planned"].map((name) => ({
        name,
        ...OPEN_TO_CALLERS,
        app: "terraform",
        repository: "files",
        path: name === "broken" ? "broken" : "fine",
        settings: settings(name),
      })),
    },
  });
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  if (root) rmSync(root, { recursive: true });
});
beforeEach(needsTerraform);

const run = (...args: string[]) => cli(["run", ...args], { server: service.url });
const lastOf = (lines: string) => JSON.parse(lines.trim().split("\n").at(-1) ?? "") as JsonObject;

const OUTPUTS = {
  word: "two",
  numbers: [1, 1.5, "9007199254740993"],
  deep: { a: { b: [true, null, "x"] } },
  leak: "with ***",
};

test("outputs are part of the result, sensitive ones by name only; get and watch show them as JSON", async () => {
  const args = ["demo/fine", "--auto-approve", "-e", "word=two", "--secret", "pin=tell-nobody", "--json"];
  const { stdout } = await run(...args);
  const { end } = lastOf(stdout) as { end: { task: { name: string }; result: JsonObject } };
  expect(end.result).toMatchObject({
    terraform: { applied: true, hasChanges: true },
    outputs: OUTPUTS,
    sensitiveOutputs: ["password"],
  });
  const got = await cli(["get", end.task.name, "--json"], { server: service.url });
  expect(JSON.parse(got.stdout)).toMatchObject({ name: end.task.name, result: end.result });
  const watched = await cli(["watch", end.task.name, "--json"], { server: service.url });
  expect(lastOf(watched.stdout)).toMatchObject({ end: { result: end.result } });
  expect(got.stdout + watched.stdout).not.toMatch(/tell-nobody|"s3cret-of-the-state/);
  // A task without changes has outputs too.
  const again = lastOf((await run(...args)).stdout) as { end: { result: JsonObject } };
  expect(again.end.result).toMatchObject({ terraform: {}, outputs: OUTPUTS });
  expect(again.end.result.terraform).not.toHaveProperty("hasChanges");
});

test("a plan that was confirmed and applied stores its outputs", async () => {
  const tasks = service.client(TaskService);
  const { task } = await tasks.runTask({ template: "projects/demo/templates/confirmed" });
  const name = task?.name ?? "";
  using watcher = follow(service, name);
  await watcher.reaches("WAITING_CONFIRMATION");
  const { task: waiting } = await tasks.getTask({ name });
  await tasks.confirmTask({ name, planDigest: waiting?.plan?.digest ?? "" });
  await watcher.ended;
  const { result } = await tasks.getTaskResult({ name });
  expect(result?.outputs).toMatchObject({ word: "one" });
  expect(result?.sensitiveOutputs).toEqual(["password"]);
});

describe("run --plan-only --detailed-exitcode", () => {
  const plan = (template: string, ...more: string[]) =>
    run(template, "--plan-only", "--detailed-exitcode", ...more).then(({ code }) => code);

  test("exits with 2 for changes, also of outputs only, and with 0 for none", async () => {
    expect(await plan("demo/planned")).toBe(2);
    expect((await run("demo/planned", "--auto-approve")).code).toBe(0);
    expect(await plan("demo/planned")).toBe(0);
    expect(await plan("demo/planned", "-e", "word=other")).toBe(2);
  });

  test("exits with 1 for every failure and for options that exclude each other", async () => {
    expect(await plan("demo/broken")).toBe(1);
    expect(await plan("demo/no-such")).toBe(1);
    expect((await run("demo/planned", "--detailed-exitcode")).code).toBe(1);
    expect(await plan("demo/planned", "--no-watch")).toBe(1);
  });
});
