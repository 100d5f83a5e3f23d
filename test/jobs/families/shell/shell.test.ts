import { describe, expect, test } from "vitest";
import { TemplateType } from "../../../../gen/signalman/v1/template_pb.ts";
import type { App } from "../../../../src/jobs/apps/app.ts";
import { BUILT_IN } from "../../../../src/jobs/families/all.ts";
import {
  type ShellInput,
  shellArguments,
  shellEnvironment,
} from "../../../../src/jobs/families/shell/shell.ts";

const BASE = { PATH: "/bin", HOME: "/home", TMPDIR: "/tmp", LANG: "C.UTF-8" };
const bash: App = { command: "bash", args: [] };
const perl: App = { command: "perl", args: ["-w", "-T"], env: { PERL5LIB: "/lib", HOME: "/perl" } };

function input(more: Partial<ShellInput> = {}): ShellInput {
  return {
    id: "0192f0c1-0000-7000-8000-000000000000",
    template: { path: "deploy.sh", type: TemplateType.UNSPECIFIED },
    repository: { name: "projects/p/repositories/scripts" },
    message: "",
    gitBranch: "",
    arguments: { template: [], task: [] },
    variables: {},
    secretVariables: {},
    env: {},
    version: "",
    incomingVersion: "",
    ...more,
  };
}

function environment(more: Partial<ShellInput> = {}, commit = { hash: "", message: "" }, app: App = bash) {
  return shellEnvironment(app, input(more), BASE, commit);
}

describe("the command line", () => {
  test("is the app's arguments, path, the template's arguments, variables by name, the task's arguments", () => {
    const args = { template: ["-a", "b c"], task: ["-z"] };
    expect(shellArguments(perl, input({ arguments: args, variables: { zone: "x", area: "y" } }))).toEqual([
      "-w",
      "-T",
      "deploy.sh",
      "-a",
      "b c",
      "area=y",
      "zone=x",
      "-z",
    ]);
  });

  test("has no path that a program could read as an option", () => {
    const template = { path: "--version", type: TemplateType.UNSPECIFIED };
    expect(shellArguments(bash, input({ template }))).toEqual(["./--version"]);
  });

  test("does not depend on the order of the variables", () => {
    const one = shellArguments(bash, input({ variables: { b: 1, a: 2, C: 3 } }));
    expect(shellArguments(bash, input({ variables: { C: 3, a: 2, b: 1 } }))).toEqual(one);
  });

  const RENDERED = [
    ["text, with what shells would read otherwise", "a 'b' \"c\" $d\n\\e", "a 'b' \"c\" $d\n\\e"],
    ["empty text", "", ""],
    ["a whole number", 3, "3"],
    ["a large number", 1e15, "1000000000000000"],
    ["a fraction", -0.25, "-0.25"],
    ["a boolean", true, "true"],
    ["nothing", null, "null"],
    ["a list", [1, "two", null], '[1,"two",null]'],
    ["an object", { a: { b: [] } }, '{"a":{"b":[]}}'],
  ] as const;
  test.each(RENDERED)("renders %s", (_, value, text) => {
    expect(shellArguments(bash, input({ variables: { v: value as never } }))).toEqual([
      "deploy.sh",
      `v=${text}`,
    ]);
  });

  test("holds no secret", () => {
    const secretVariables = { token: "hunter2" };
    expect(shellArguments(bash, input({ secretVariables, variables: { a: 1 } }))).toEqual([
      "deploy.sh",
      "a=1",
    ]);
    expect(environment({ secretVariables })).toMatchObject(secretVariables);
  });
});

describe("the environment", () => {
  test("is made of base, app, user and secrets; later ones override earlier ones", () => {
    const env = { HOME: "/user", A: "env", B: "env" };
    expect(environment({ env, secretVariables: { B: "secret" } }, undefined, perl)).toEqual({
      ...BASE,
      PERL5LIB: "/lib",
      HOME: "/user",
      A: "env",
      B: "secret",
      SEMAPHORE_TASK_DETAILS_ID: "0192f0c1-0000-7000-8000-000000000000",
      SEMAPHORE_TASK_DETAILS_REPOSITORY_ID: "projects/p/repositories/scripts",
      SEMAPHORE_TASK_DETAILS_REPOSITORY_NAME: "scripts",
    });
  });

  test("contains the task's details without added quotes", () => {
    const commit = { hash: "abc123", message: 'It\'s "fixed"' };
    expect(environment({ message: "by hand" }, commit)).toMatchObject({
      SEMAPHORE_TASK_DETAILS_MESSAGE: "by hand",
      SEMAPHORE_TASK_DETAILS_COMMIT_HASH: "abc123",
      SEMAPHORE_TASK_DETAILS_COMMIT_MESSAGE: 'It\'s "fixed"',
    });
  });

  test("leaves out the details that are empty", () => {
    const names = Object.keys(environment()).filter((name) => name.startsWith("SEMAPHORE_TASK_DETAILS_"));
    expect(names.map((name) => name.slice(23)).sort()).toEqual(["ID", "REPOSITORY_ID", "REPOSITORY_NAME"]);
  });

  test("does not let users set the service's own names", () => {
    const forged = { SEMAPHORE_TASK_DETAILS_ID: "forged", SEMAPHORE_TASK_TYPE: "forged" };
    const template = { path: "x", type: TemplateType.BUILD };
    expect(environment({ template, env: forged, secretVariables: forged })).toMatchObject({
      SEMAPHORE_TASK_DETAILS_ID: input().id,
      SEMAPHORE_TASK_TYPE: "build",
    });
  });
});

test("Python's output is unbuffered", () => {
  expect(BUILT_IN.python).toMatchObject({ command: "python3", env: { PYTHONUNBUFFERED: "1" } });
});
