import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { SurveyType, TemplateSchema } from "../../gen/signalman/v1/template_pb.ts";
import { specOf } from "../../src/rpc/resources.ts";
import { populateDetails } from "../../src/runner/details.ts";
import type { TemplateRows } from "../../src/store/details.ts";
import { PrepareError } from "../../src/task/errors.ts";
import type { TaskSpec } from "../../src/task/types.ts";

const NOTHING: TaskSpec = {
  message: "",
  variables: {},
  secretNames: [],
  env: {},
  arguments: [],
  gitBranch: "",
  commit: "",
};
const TASK = {
  id: "id",
  project: "p",
  template: "t",
  spec: NOTHING,
  version: "1.0.1",
  incomingVersion: "2.0",
};

function detailsOf(
  template: MessageInitShape<typeof TemplateSchema>,
  spec: Partial<TaskSpec> = {},
  others: Partial<TemplateRows> = {},
  secrets: Record<string, string> = {},
) {
  const stored = specOf("templates", create(TemplateSchema, { app: "bash", ...template }));
  const rows = { template: stored, repository: { url: "/srv" }, environment: null, ...others };
  const task = { ...TASK, spec: { ...NOTHING, ...spec } };
  return populateDetails(task, rows, secrets);
}

describe("of a variable that several set", () => {
  const environment = {
    variables: { a: "environment", b: "environment", c: "environment", d: "environment" },
  };
  const template = {
    variables: { b: "template", c: "template", d: "template" },
    survey: ["c", "d"].map((name) => ({ name, default: "survey" })),
  };

  test("the template's wins over the environment's, the survey's default over both, the task's over all", () => {
    const { variables } = detailsOf(template, { variables: { d: "task" } }, { environment });
    expect(variables).toEqual({ a: "environment", b: "template", c: "survey", d: "task" });
  });

  test("an answer that is empty, zero or false is an answer", () => {
    const answers = { b: null, c: "", d: 0 };
    const { variables } = detailsOf(template, { variables: answers }, { environment });
    expect(variables).toEqual({ a: "environment", ...answers });
  });

  test("objects are replaced whole, not mixed", () => {
    const { variables } = detailsOf({ variables: { x: { a: 1 } } }, { variables: { x: { b: 2 } } });
    expect(variables).toEqual({ x: { b: 2 } });
  });
});

test("of a process environment the template's wins over the environment's and the task's over both", () => {
  const environment = { env: { A: "environment", B: "environment", C: "environment" } };
  const { env } = detailsOf(
    { env: { B: "template", C: "template" } },
    { env: { C: "task" } },
    { environment },
  );
  expect(env).toEqual({ A: "environment", B: "template", C: "task" });
});

test("the default of a whole number is a number", () => {
  const survey = [{ name: "n", type: SurveyType.INT, default: "-7" }];
  expect(detailsOf({ survey }).variables).toEqual({ n: -7 });
});

test("the default of a whole number keeps all its digits", () => {
  const survey = [{ name: "n", type: SurveyType.INT, default: "12345678901234567890123" }];
  expect(JSON.stringify(detailsOf({ survey }).variables)).toContain("12345678901234567890123");
});

test("a question answered by a secret keeps its default out of the variables", () => {
  const details = detailsOf({ survey: [{ name: "x", default: "open" }] }, {}, {}, { x: "hidden" });
  expect(details.variables).toEqual({});
  expect(details.secretVariables).toEqual({ x: "hidden" });
});

test("a secret takes the place of an open variable of the same name", () => {
  const environment = { variables: { password: "from the environment", other: "stays" } };
  const template = { variables: { password: "from the template" } };
  const details = detailsOf(template, {}, { environment }, { password: "hidden" });
  expect(details.variables).toEqual({ other: "stays" });
});

test("the branch is the task's, else the template's, else the repository's", () => {
  const repository = { url: "/srv", gitBranch: "repository" };
  const template = { gitBranch: "template", allowOverrideGitBranch: true };
  expect(detailsOf(template, { gitBranch: "task" }, { repository }).gitBranch).toBe("task");
  expect(detailsOf(template, {}, { repository }).gitBranch).toBe("template");
  expect(detailsOf({}, {}, { repository }).gitBranch).toBe("repository");
});

test("arguments of the template and of the task stay apart", () => {
  const details = detailsOf({ arguments: ["-a"], allowOverrideArguments: true }, { arguments: ["-b"] });
  expect(details.arguments).toEqual({ template: ["-a"], task: ["-b"] });
});

test("versions are those that the task was given when it was made", () => {
  expect(detailsOf({ startVersion: "9.0" })).toMatchObject({ version: "1.0.1", incomingVersion: "2.0" });
});

describe("a task that can no longer be run says why", () => {
  test("its template was deleted", () => {
    expect(() => populateDetails(TASK, null, {})).toThrow(
      new PrepareError("Cannot run projects/p/templates/t: it has been deleted since the task was created"),
    );
  });

  test("its template names no repository", () => {
    expect(() => detailsOf({}, {}, { repository: null })).toThrow(/it names no repository/);
  });

  test("its template has stopped allowing what it asks for", () => {
    expect(() => detailsOf({}, { arguments: ["x"] })).toThrow(
      /was changed since the task was created, and now arguments projects\/p\/templates\/t does not allow/,
    );
  });

  test("a question has become required", () => {
    const survey = [{ name: "version", required: true }];
    expect(() => detailsOf({ survey })).toThrow(/now variables\["version"\] is required/);
  });
});
