import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { SurveyType, TemplateSchema } from "../../gen/signalman/v1/template_pb.ts";
import type { AccessKey } from "../../src/keys/access-key.ts";
import { jsonOf } from "../../src/rpc/catalog/schemas.ts";
import { populateDetails } from "../../src/runner/details.ts";
import type { Secrets } from "../../src/runner/secrets.ts";
import type { DetailRows } from "../../src/store/tasks/details.ts";
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

const ROWS: Omit<DetailRows, "template"> = {
  project: {},
  repository: { url: "/srv" },
  environment: null,
  environmentSecrets: null,
  inventory: null,
  inventoryRepository: null,
  keys: {},
};
const NO_SECRETS: Secrets = { variables: {}, environment: { variables: {}, env: {} }, keys: new Map() };

function detailsOf(
  template: MessageInitShape<typeof TemplateSchema>,
  spec: Partial<TaskSpec> = {},
  others: Partial<DetailRows> = {},
  secrets: Partial<Secrets> = {},
) {
  const open = { app: "bash", allowOverrideEnv: ["*"], allowExtraVariables: true };
  const stored = jsonOf("templates", create(TemplateSchema, { ...open, ...template }));
  const rows = { ...ROWS, template: stored, ...others };
  const task = { ...TASK, spec: { ...NOTHING, ...spec } };
  return populateDetails(task, rows, { ...NO_SECRETS, ...secrets });
}

describe("a variable that is set in several places", () => {
  const environment = {
    variables: { a: "environment", b: "environment", c: "environment", d: "environment" },
  };
  const template = {
    variables: { b: "template", c: "template", d: "template" },
    survey: ["c", "d"].map((name) => ({ name, default: "survey" })),
  };

  test("has the value of the task, else of the survey's default, else of the template, else of the environment", () => {
    const { variables } = detailsOf(template, { variables: { d: "task" } }, { environment });
    expect(variables).toEqual({ a: "environment", b: "template", c: "survey", d: "task" });
  });

  test("has an answer of the task even if that is empty, zero or false", () => {
    const answers = { b: null, c: "", d: 0 };
    const { variables } = detailsOf(template, { variables: answers }, { environment });
    expect(variables).toEqual({ a: "environment", ...answers });
  });

  test("is replaced as a whole if it is an object", () => {
    const { variables } = detailsOf({ variables: { x: { a: 1 } } }, { variables: { x: { b: 2 } } });
    expect(variables).toEqual({ x: { b: 2 } });
  });
});

test("in the process environment the task overrides the template, and the template the environment", () => {
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
  const details = detailsOf(
    { survey: [{ name: "x", default: "open" }] },
    {},
    {},
    { variables: { x: "hidden" } },
  );
  expect(details.variables).toEqual({});
  expect(details.secretVariables).toEqual({ x: "hidden" });
});

test("a secret variable overrides a plain one of the same name", () => {
  const environment = { variables: { password: "from the environment", other: "stays" } };
  const template = { variables: { password: "from the template" } };
  const details = detailsOf(template, {}, { environment }, { variables: { password: "hidden" } });
  expect(details.variables).toEqual({ other: "stays" });
});

test("a later source overrides a secret variable of the environment, with a plain or a secret value", () => {
  const environment = { variables: { a: "open" } };
  const secret = { a: "s", b: "s", c: "s", d: "s" };
  const details = detailsOf(
    { variables: { b: "template" } },
    { variables: { c: "task" } },
    { environment },
    { environment: { variables: secret, env: {} }, variables: { d: "task's" } },
  );
  expect(details.variables).toEqual({ b: "template", c: "task" });
  expect(details.secretVariables).toEqual({ a: "s", d: "task's" });
  expect([...details.callerVariables].sort()).toEqual(["c", "d"]);
});

test("the secret process environment overrides the plain one, and is overridden by template and task", () => {
  const environment = { env: { A: "open", B: "open", C: "open" } };
  const secrets = { variables: {}, env: { A: "secret", B: "secret" } };
  const details = detailsOf({ env: { B: "template" } }, {}, { environment }, { environment: secrets });
  expect(details.env).toEqual({ A: "secret", B: "template", C: "open" });
  expect([...details.secretEnv]).toEqual(["A"]);
});

describe("an inventory", () => {
  const inventory = "projects/p/inventories/hosts";
  const ssh = {
    name: "projects/p/accessKeys/ssh",
    kind: "ssh",
    login: "root",
    privateKey: "k",
    passphrase: "",
  } as const;
  const become = {
    name: "projects/p/accessKeys/become",
    kind: "login_password",
    login: "admin",
    password: "p",
  } as const;
  const keys = new Map<string, AccessKey>([ssh, become].map((key) => [key.name, key]));

  test("is loaded with its keys", () => {
    const stored = { ini: "localhost", sshKey: "projects/p/accessKeys/ssh" };
    const rows = { inventory: { ...stored, becomeKey: "projects/p/accessKeys/become" } };
    const details = detailsOf({ inventory }, {}, rows, { keys });
    expect(details.inventory).toMatchObject({ name: inventory, sshKey: ssh, becomeKey: become });
    expect(details.inventory?.source).toEqual({ case: "ini", value: "localhost" });
  });

  test("in a file is loaded with its repository and key, unless that is the template's repository", () => {
    const file = { path: "hosts", repository: "projects/p/repositories/other" };
    const rows = {
      inventory: { file },
      inventoryRepository: { url: "/other", accessKey: "projects/p/accessKeys/ssh" },
    };
    const { other } = detailsOf({ inventory }, {}, rows, { keys }).inventory ?? {};
    expect(other).toMatchObject({ repository: { url: "/other" }, repositoryKey: ssh });
    const repository = "projects/p/repositories/other";
    expect(detailsOf({ inventory, repository }, {}, rows, { keys }).inventory?.other).toBeUndefined();
  });

  test("is the one that the task names, if it names one", () => {
    const details = detailsOf(
      { inventory, allowOverrideInventory: true },
      { inventory: "mine" },
      { inventory: { ini: "" } },
    );
    expect(details.inventory?.name).toBe("projects/p/inventories/mine");
  });

  test("that does not exist is named in the error", () => {
    expect(() => detailsOf({ inventory }, {}, { inventory: null })).toThrow(
      /Cannot run projects\/p\/templates\/t: its inventory projects\/p\/inventories\/hosts does not exist/,
    );
  });
});

test("a vault has a key or a script; without a name it is the default vault", () => {
  const key = { name: "v", kind: "text", value: "v" } as const;
  const vaults = [
    { source: { case: "key", value: "projects/p/accessKeys/v" } },
    { name: "prod", source: { case: "script", value: "vault.sh" } },
  ] as const;
  const details = detailsOf(
    { vaults: [...vaults] },
    {},
    {},
    { keys: new Map([[vaults[0].source.value, key]]) },
  );
  expect(details.vaults).toEqual([
    { name: "default", key },
    { name: "prod", script: "vault.sh" },
  ]);
});

describe("settings of the app", () => {
  test("come from the template where the task sets none", () => {
    const value = { limit: ["web"], tags: ["a"], skipTags: ["b"], verbosity: 2 };
    const { ansible } = detailsOf({ app: "ansible", settings: { case: "ansible", value } });
    expect(ansible).toEqual({ ...value, check: false, diff: false, refreshRequirements: false });
  });

  test("come from the task where the template allows it, verbosity zero included", () => {
    const value = { limit: ["web"], verbosity: 2, allowOverrideLimit: true, allowOverrideVerbosity: true };
    const { ansible } = detailsOf(
      { app: "ansible", settings: { case: "ansible", value } },
      { ansible: { limit: ["db"], verbosity: 0, check: true } },
    );
    expect(ansible).toMatchObject({ limit: ["db"], verbosity: 0, check: true, diff: false });
  });

  test("of the Terraform family keep the template's arguments of each stage", () => {
    const value = { stageArguments: { plan: { arguments: ["-refresh=false"] } }, autoApprove: true };
    const details = detailsOf(
      { app: "terraform", settings: { case: "terraform", value } },
      { terraform: { planOnly: true } },
    );
    expect(details.terraform).toMatchObject({
      planOnly: true,
      autoApprove: true,
      stageArguments: { plan: ["-refresh=false"] },
    });
  });
});

test("the branch comes from the task, else from the template, else from the repository", () => {
  const repository = { url: "/srv", gitBranch: "repository" };
  const template = { gitBranch: "template", allowOverrideGitBranch: true };
  expect(detailsOf(template, { gitBranch: "task" }, { repository }).gitBranch).toBe("task");
  expect(detailsOf(template, {}, { repository }).gitBranch).toBe("template");
  expect(detailsOf({}, {}, { repository }).gitBranch).toBe("repository");
});

test("arguments of the template and of the task are kept apart", () => {
  const details = detailsOf({ arguments: ["-a"], allowOverrideArguments: true }, { arguments: ["-b"] });
  expect(details.arguments).toEqual({ template: ["-a"], task: ["-b"] });
});

test("versions are those that were stored when the task was created", () => {
  expect(detailsOf({ startVersion: "9.0" })).toMatchObject({ version: "1.0.1", incomingVersion: "2.0" });
});

describe("a task that can no longer be run says why", () => {
  test("its template was deleted", () => {
    expect(() => populateDetails(TASK, null, NO_SECRETS)).toThrow(
      new PrepareError("Cannot run projects/p/templates/t: it has been deleted since the task was created"),
    );
  });

  test("its template names no repository", () => {
    expect(() => detailsOf({}, {}, { repository: null })).toThrow(/it names no repository/);
  });

  test("its template no longer allows its overrides", () => {
    expect(() => detailsOf({}, { arguments: ["x"] })).toThrow(
      /was changed since the task was created, or the server was upgraded, and now arguments projects\/p\/templates\/t does not allow/,
    );
  });

  test("a caller of an earlier release set what changes how programs start", () => {
    expect(() => detailsOf({}, { env: { BASH_ENV: "x" } })).toThrow(
      /now env\["BASH_ENV"\] changes what a shell runs/,
    );
  });

  test("a question has become required", () => {
    const survey = [{ name: "version", required: true }];
    expect(() => detailsOf({ survey })).toThrow(/now variables\["version"\] is required/);
  });
});
