import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { AnsibleParamsSchema, TerraformParamsSchema } from "../../gen/signalman/v1/task_pb.ts";
import { SurveyType, type SurveyVariableSchema, TemplateSchema } from "../../gen/signalman/v1/template_pb.ts";
import type { Asked } from "../../src/jobs/families/family.ts";
import { checkAsked, surveyDefaults } from "../../src/submission/overrides.ts";

type Init = MessageInitShape<typeof TemplateSchema>;
const ASKED: Asked = {
  variables: {},
  secretVariables: {},
  env: {},
  arguments: [],
  gitBranch: "",
  commit: "",
  inventory: "",
  params: { case: undefined },
};
const ansible = (params: MessageInitShape<typeof AnsibleParamsSchema>) => ({
  params: { case: "ansible" as const, value: create(AnsibleParamsSchema, params) },
});
const terraform = (params: MessageInitShape<typeof TerraformParamsSchema>) => ({
  params: { case: "terraform" as const, value: create(TerraformParamsSchema, params) },
});

const OPEN = { allowOverrideEnv: ["*"], allowExtraVariables: true };

function check(template: Init, asked: Partial<Asked>) {
  const message = create(TemplateSchema, { name: "projects/p/templates/t", ...OPEN, ...template });
  return checkAsked({ template: message, environment: undefined }, { ...ASKED, ...asked });
}

/** Returns `field: description` of the only violation; undefined: none. */
function answer(question: MessageInitShape<typeof SurveyVariableSchema>, asked: Partial<Asked>) {
  const [violation, more] = check({ survey: [question] }, asked);
  expect(more).toBeUndefined();
  return violation && `${violation.field}: ${violation.description}`;
}

describe("overrides", () => {
  const cases = [
    ["arguments", "allow_override_arguments", "allowOverrideArguments", { arguments: ["-v"] }],
    ["git_branch", "allow_override_git_branch", "allowOverrideGitBranch", { gitBranch: "main" }],
    ["commit", "allow_override_git_branch", "allowOverrideGitBranch", { commit: "0123456789" }],
  ] as const;

  test.each(cases)("%s is accepted only if the template has %s", (field, allowedBy, flag, asked) => {
    const refused = {
      field,
      description: `projects/p/templates/t does not allow its tasks to set this: it would have to set ${allowedBy}`,
      reason: "OVERRIDE_NOT_ALLOWED",
    };
    expect(check({}, asked as Partial<Asked>)).toEqual([refused]);
    expect(check({ [flag]: true }, asked as Partial<Asked>)).toEqual([]);
  });

  test("another inventory is accepted only if the template allows it, and only from its project", () => {
    const asked = { inventory: "projects/p/inventories/i" };
    expect(check({}, asked).map(({ field }) => field)).toEqual(["inventory"]);
    expect(check({ allowOverrideInventory: true }, asked)).toEqual([]);
    expect(check({ allowOverrideInventory: true }, { inventory: "projects/q/inventories/i" })).toEqual([
      { field: "inventory", description: "must be an inventory of projects/p, not projects/q/inventories/i" },
    ]);
  });

  test.each([
    ["ansible.limit", ansible({ limit: ["web"] }), { allowOverrideLimit: true }],
    ["ansible.tags", ansible({ tags: ["a"] }), { allowOverrideTags: true }],
    ["ansible.skip_tags", ansible({ skipTags: ["a"] }), { allowOverrideSkipTags: true }],
    ["ansible.verbosity", ansible({ verbosity: 0 }), { allowOverrideVerbosity: true }],
  ])("%s needs its own flag", (field, asked, flags) => {
    const app = "ansible";
    expect(check({ app }, asked).map((violation) => violation.field)).toEqual([field]);
    expect(check({ app, settings: { case: "ansible", value: flags } }, asked)).toEqual([]);
  });

  test.each([
    ["terraform.destroy", terraform({ destroy: true }), { allowDestroy: true }],
    ["terraform.auto_approve", terraform({ autoApprove: true }), { allowAutoApprove: true }],
  ])("%s needs its own flag", (field, asked, flags) => {
    const app = "tofu";
    expect(check({ app }, asked).map((violation) => violation.field)).toEqual([field]);
    expect(check({ app, settings: { case: "terraform", value: flags } }, asked)).toEqual([]);
  });

  test("check, diff, plan_only, upgrade and reconfigure are always allowed", () => {
    expect(check({ app: "ansible" }, ansible({ check: true, diff: true }))).toEqual([]);
    const params = { planOnly: true, upgrade: true, reconfigure: true };
    expect(check({ app: "terraform" }, terraform(params))).toEqual([]);
  });

  test.each(["-destroy", "--destroy", "-destroy=true"])(
    "%s is an argument that needs allow_destroy",
    (arg) => {
      const template = { app: "terraform", allowOverrideArguments: true };
      const asked = { arguments: ["-refresh=false", arg] };
      expect(check(template, asked)).toEqual([
        {
          field: "arguments[1]",
          description:
            "projects/p/templates/t does not allow its tasks to destroy: it would have to set terraform.allow_destroy",
        },
      ]);
      const settings = { case: "terraform", value: { allowDestroy: true } } as const;
      expect(check({ ...template, settings }, asked)).toEqual([]);
    },
  );

  test("settings of another app are refused", () => {
    expect(check({ app: "bash" }, ansible({}))).toEqual([
      { field: "ansible", description: "projects/p/templates/t runs bash, which has no such settings" },
    ]);
  });

  test("all violations are reported together", () => {
    const asked = { arguments: ["-v"], gitBranch: "main", variables: { n: "x" } };
    const fields = check({ survey: [{ name: "n", type: SurveyType.INT }] }, asked).map(({ field }) => field);
    expect(fields).toEqual(["arguments", "git_branch", 'variables["n"]']);
  });

  test("a name in both variables and secret_variables is refused", () => {
    expect(check({}, { variables: { a: 1 }, secretVariables: { a: "1", b: "2" } })).toEqual([
      { field: 'secret_variables["a"]', description: "is also set in variables; set it in one of the two" },
    ]);
  });
});

test("of many names that are refused, the first thousand are reported", () => {
  const env = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`NAME_${at}`, "x"]));
  expect(check({ allowOverrideEnv: [] }, { env })).toHaveLength(1000);
});

describe("a survey", () => {
  test("accepts variables that it does not ask for", () => {
    expect(answer({ name: "a" }, { variables: { b: {} } })).toBeUndefined();
  });

  test("refuses a missing required answer, with the title of the question", () => {
    const question = { name: "version", title: "Which one?", required: true };
    expect(answer(question, {})).toBe('variables["version"]: is required: Which one?');
    expect(answer({ ...question, title: "" }, {})).toBe('variables["version"]: is required');
    expect(answer(question, { variables: { version: "1" } })).toBeUndefined();
    expect(answer(question, { secretVariables: { version: "1" } })).toBeUndefined();
    expect(answer({ ...question, default: "1" }, {})).toBeUndefined();
  });

  test.each(["7", "-7", 7, 1e6])("accepts %j as a whole number", (n) => {
    expect(answer({ name: "n", type: SurveyType.INT }, { variables: { n } })).toBeUndefined();
  });

  test.each(["7.5", 7.5, "1e3", " 7", "0x10", true, null, [7], { n: 7 }])(
    "refuses %j as a whole number, and says what it received",
    (n) => {
      const text = typeof n === "string" ? n : JSON.stringify(n);
      expect(answer({ name: "n", type: SurveyType.INT }, { variables: { n } })).toBe(
        `variables["n"]: must be a whole number, not ${text}`,
      );
    },
  );

  test("refuses empty text as a whole number and as a value of an enum", () => {
    const stage = { name: "x", type: SurveyType.ENUM, values: [{ value: "dev" }] };
    expect(answer({ name: "x", type: SurveyType.INT }, { variables: { x: "" } })).toBeDefined();
    expect(answer(stage, { variables: { x: "" } })).toBeDefined();
  });

  test("accepts exactly the values of an enum", () => {
    const stage = { name: "stage", type: SurveyType.ENUM, values: [{ value: "dev" }, { value: "5" }] };
    expect(answer(stage, { variables: { stage: "dev" } })).toBeUndefined();
    expect(answer(stage, { variables: { stage: 5 } })).toBeUndefined();
    expect(answer(stage, { variables: { stage: "DEV" } })).toBe(
      'variables["stage"]: must be one of dev, 5, not DEV',
    );
  });

  test("accepts anything but lists and objects as text", () => {
    for (const x of ["", "words", 1.5, true])
      expect(answer({ name: "x" }, { variables: { x } })).toBeUndefined();
    expect(answer({ name: "x", type: SurveyType.TEXT }, { variables: { x: { a: 1 } } })).toBe(
      'variables["x"]: must be text, a number or a boolean, not {"a":1}',
    );
  });

  test("accepts a secret in secret_variables only, and never repeats it", () => {
    const question = { name: "pin", type: SurveyType.SECRET, required: true };
    expect(answer(question, {})).toBe('secret_variables["pin"]: is required');
    expect(answer(question, { variables: { pin: "1234" } })).toBe(
      'variables["pin"]: is a secret: set it in secret_variables',
    );
    expect(answer(question, { secretVariables: { pin: "1234" } })).toBeUndefined();
    const number = { name: "pin", type: SurveyType.INT };
    expect(answer(number, { secretVariables: { pin: "12x4" } })).toBe(
      'secret_variables["pin"]: must be a whole number',
    );
  });

  test("shortens a long wrong answer in the message", () => {
    const wrong = answer({ name: "n", type: SurveyType.INT }, { variables: { n: "x".repeat(1000) } });
    expect(wrong?.length).toBeLessThan(150);
  });

  test("may ask for a variable whose name is a property of all objects", () => {
    const name = "constructor";
    const survey = [{ name, default: "d", required: true }];
    expect(check({ survey }, {})).toEqual([]);
    expect(check({}, { secretVariables: { [name]: "s" } })).toEqual([]);
    const defaults = surveyDefaults(create(TemplateSchema, { survey }), ASKED);
    expect(Object.entries(defaults)).toEqual([[name, "d"]]);
  });
});

test("a key within a variable that Ansible would evaluate as an expression is refused, since keys cannot be tagged", () => {
  const variables = { fine: "{{ 1 }}", list: [{ "{{ lookup('pipe', 'id') }}": 1 }], "{% x %}": { "{": 1 } };
  expect(check({ app: "ansible" }, { variables })).toEqual([
    {
      field: 'variables["list"]',
      description: "names must not contain {{, {% or {#, which app ansible would evaluate",
    },
    {
      field: 'variables["{% x %}"]',
      description: "names must not contain {{, {% or {#, which app ansible would evaluate",
    },
  ]);
  const { "{% x %}": _, ...others } = variables;
  expect(check({ app: "bash" }, { variables: others })).toEqual([]);
});
