import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { JsonObject, MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LogStream } from "../../../../gen/signalman/v1/task_pb.ts";
import type { RunTaskRequestSchema } from "../../../../gen/signalman/v1/task_service_pb.ts";
import { TemplateService } from "../../../../gen/signalman/v1/template_pb.ts";
import { cli } from "../../../cli/cli.ts";
import { invalid, refusal } from "../../../rpc/support.ts";
import { applyDemo, bytesOf, endOf, runDemo, watchToEnd } from "../../../support/demo.ts";
import { startService, type TestService } from "../../../support/service.ts";

const MAKEFILE = `
.PHONY: show again here fail broken
show:
	@printf '%s' "$$text"
again:
	@$(MAKE) --no-print-directory show
here:
	@pwd
secret:
	@test "$$TOKEN" = 'a$$(b)c' && echo "it is $$TOKEN"
fail:
	@exit 7
missing: no-such-file
`;

let service: TestService;
beforeAll(async () => {
  service = await startService();
  const make = { app: "make", allowParallelTasks: true, allowOverrideArguments: true };
  const path = "makefile";
  const targets = (...names: string[]) => ({
    settings: { case: "make" as const, value: { targets: names } },
  });
  const folder = await applyDemo(service, {
    makefile: { ...make, script: MAKEFILE },
    "show-it": { ...make, path, script: "", ...targets("show") },
    "here-below": { ...make, path: "below/makefile", script: "", ...targets("here") },
    "here-at-root": { ...make, path: "below/makefile", workingDir: ".", script: "", ...targets("here") },
    "there-is-none": { ...make, path: "none", script: "" },
  });
  await mkdir(join(folder, "below"));
  await writeFile(join(folder, "below", "makefile"), MAKEFILE);
});
afterAll(() => service[Symbol.asyncDispose]());

async function run(template: string, request: MessageInitShape<typeof RunTaskRequestSchema> = {}) {
  const { name } = await runDemo(service, template, request);
  const events = await watchToEnd(service, name);
  const stdout = bytesOf(events, LogStream.STDOUT).toString();
  const system = bytesOf(events, LogStream.SYSTEM).toString();
  return { stdout, system, end: endOf(events).end, status: endOf(events).status };
}

describe("a variable reaches recipes unchanged", () => {
  test.each([
    "plain",
    "a b  c ",
    "  before",
    "$(shell echo no) $$ $x",
    "# not a comment",
    "100%",
    "a\\b",
    "ünï",
    "-n",
    "x=y",
  ])("%j", async (text) => {
    const variables: JsonObject = { text };
    expect((await run("show-it", { variables })).stdout.replace(/\n$/, "")).toBe(text);
    expect((await run("makefile", { variables, arguments: ["again"] })).stdout.replace(/\n$/, "")).toBe(text);
  });

  test("a secret variable is passed in the environment, and masked in the log", async () => {
    const secretVariables = { TOKEN: "a$(b)c" };
    const { stdout } = await run("makefile", { arguments: ["secret"], secretVariables });
    expect(stdout).toBe("it is ***\n");
  });
});

test("make runs in the folder of its makefile, or in working_dir", async () => {
  expect((await run("here-below")).stdout).toMatch(/\/below\n$/);
  expect((await run("here-at-root")).stdout).not.toMatch(/\/below\n$/);
});

describe("the log of a make task names", () => {
  test("the target and the makefile", async () => {
    const { system } = await run("show-it", { variables: { text: "" } });
    expect(system).toContain(
      "Running projects/demo/templates/show-it: make, show of makefile from projects/demo/repositories/scripts\n",
    );
  });

  test("the target that failed, or the missing prerequisite", async () => {
    const failed = await run("makefile", { arguments: ["fail"] });
    expect(failed.end).toMatchObject({ exitCode: 2 });
    expect(failed.end?.message).toMatch(/exit code 2: \[makefile:\d+: fail\] Error 7$/);
    const missing = await run("makefile", { arguments: ["missing"] });
    expect(missing.end?.message).toMatch(/: No rule to make target 'no-such-file', needed by 'missing'\.$/);
  });

  test("a makefile that does not exist", async () => {
    expect((await run("there-is-none")).end?.message).toContain("Cannot run none: there is no such file");
  });
});

describe("a caller can make it run targets only:", () => {
  test.each<[string, MessageInitShape<typeof RunTaskRequestSchema>, string]>([
    ["an option", { arguments: ["--eval=x:;id"] }, "arguments[0]"],
    ["a variable among the arguments", { arguments: ["show", "X=$(shell id)"] }, "arguments[1]"],
  ])("%s", async (_, request, field) => {
    expect(await refusal(runDemo(service, "makefile", request))).toEqual(invalid(field));
  });

  test.each<[string, MessageInitShape<typeof RunTaskRequestSchema>, string]>([
    ["another shell", { variables: { SHELL: "/tmp/x" } }, 'variables["SHELL"]'],
    ["another compiler", { variables: { CC: "/tmp/x" } }, 'variables["CC"]'],
    ["another compiler in the environment", { env: { CC: "/tmp/x" } }, 'env["CC"]'],
    ["what its commands start with", { variables: { BASH_ENV: "/tmp/x" } }, 'variables["BASH_ENV"]'],
    ["more makefiles", { env: { MAKEFILES: "/tmp/x" } }, 'env["MAKEFILES"]'],
    ["options as a secret", { secretVariables: { MAKEFLAGS: "--eval=x" } }, 'secret_variables["MAKEFLAGS"]'],
    ["a name that make would read otherwise", { variables: { "a:b": "c" } }, 'variables["a:b"]'],
  ])("%s", async (_, request, field) => {
    expect(await refusal(runDemo(service, "makefile", request))).toEqual({
      ...invalid(field),
      reason: "NAME_REFUSED",
    });
  });
});

describe("a template of app make", () => {
  const create = (template: object) =>
    refusal(
      service.client(TemplateService).createTemplate({
        parent: "projects/demo",
        templateId: "new",
        template: {
          app: "make",
          repository: "projects/demo/repositories/scripts",
          path: "makefile",
          ...template,
        },
      }),
    );
  const settings = (targets: string[]) => ({ settings: { case: "make", value: { targets } } });

  test("may have targets as arguments, but no options and no variables that make reserves", async () => {
    expect(await create(settings(["ok", "-n"]))).toEqual(invalid("template.make.targets[1]"));
    expect(await create({ variables: { "a b": 1 } })).toEqual(invalid('template.variables["a b"]'));
  });

  test("of another app cannot have settings of make", async () => {
    expect(await create({ app: "bash", ...settings(["all"]) })).toEqual(invalid("template.make"));
  });
});

test("examples/make runs", async () => {
  const catalog = fileURLToPath(new URL("../../../../examples/make/catalog.yaml", import.meta.url));
  expect(await cli(["apply", catalog], { server: service.url })).toMatchObject({ code: 0 });
  const greeting = await cli(["run", "make/greet", "-e", "name=Ada $(id)"], { server: service.url });
  expect(greeting).toMatchObject({ code: 0, stdout: "Hello, Ada $(id)\n" });
  const check = await cli(["run", "make/check"], { server: service.url });
  expect(check).toMatchObject({ code: 0 });
  expect(check.stdout).toContain("Hello, test\n");
});
