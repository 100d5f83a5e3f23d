import { create } from "@bufbuild/protobuf";
import { StructSchema, type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import {
  ApplyCatalogRequestSchema,
  type CatalogSchema,
} from "../../../gen/signalman/v1/catalog_service_pb.ts";
import { HookEvent } from "../../../gen/signalman/v1/hook_pb.ts";
import {
  SurveyType,
  type SurveyVariableSchema,
  type TemplateSchema,
  type TemplateType,
} from "../../../gen/signalman/v1/template_pb.ts";
import { type Init, violations } from "./cases.ts";

const apply = (catalog: Init<typeof CatalogSchema>) =>
  violations(ApplyCatalogRequestSchema, { catalog: { project: { name: "demo" }, ...catalog } });
const TEMPLATE = { name: "hello", app: "bash", repository: "scripts", path: "hello.sh" };
const template = (init: Init<typeof TemplateSchema>) => apply({ templates: [{ ...TEMPLATE, ...init }] });
const survey = (...questions: Init<typeof SurveyVariableSchema>[]) => template({ survey: questions });

const sshKey = (privateKey: string) => ({
  accessKeys: [{ name: "k", kind: { case: "ssh", value: { privateKey } } as const }],
});

const body = (kind: Value["kind"]) =>
  create(ValueSchema, {
    kind: {
      case: "structValue",
      value: create(StructSchema, { fields: { a: create(ValueSchema, { kind }) } }),
    },
  });

test.each<[string, Value["kind"], string]>([
  ["without a value", { case: undefined }, "nothing; a google.protobuf.Value must have a value"],
  ["that is no number", { case: "numberValue", value: Number.NaN }, "NaN, which JSON cannot represent"],
])("a hook's body with something in it %s, as only a binary request can have it", (_, kind, got) => {
  const http = { url: "https://example.org/", body: body(kind) };
  const hooks = [{ name: "call", event: HookEvent.AFTER_TASK, kind: { case: "http", value: http } as const }];
  expect(template({ hooks })).toEqual([
    `catalog.templates[0].hooks[0].http.body["a"]: cannot be stored; got ${got}`,
  ]);
});

test.each<[string, object, string]>([
  ["neither", {}, "neither"],
  ["both", { url: "https://example.org/", urlKey: "chat" }, "both"],
])("a hook that has %s of url and url_key is refused", (_, http, got) => {
  const hooks = [{ name: "call", event: HookEvent.AFTER_TASK, kind: { case: "http", value: http } as const }];
  expect(template({ hooks })).toEqual([
    `catalog.templates[0].hooks[0].http.url: One of \`url\` and \`url_key\` is required; got ${got}`,
  ]);
});

test("a complete valid catalog passes, with short and with full names", () => {
  const proper = apply({
    project: { name: "projects/demo", description: "é".repeat(1000), maxParallelTasks: 10_000 },
    repositories: [
      { name: "scripts", url: "/srv/scripts" },
      { name: "projects/demo/repositories/more", url: "file:///srv/more%20scripts", gitBranch: "main" },
    ],
    environments: [{ name: "defaults", variables: { a: 1 }, env: { STAGE: "dev" } }],
    templates: [
      {
        ...TEMPLATE,
        path: "a/../b/./hello world.sh",
        environment: "projects/demo/environments/defaults",
        type: 3,
        runTimeout: { seconds: 60n },
        survey: [
          { name: "greeting", default: "hello" },
          { name: "count", type: SurveyType.INT, default: "-7" },
          {
            name: "color",
            type: SurveyType.ENUM,
            values: [{ value: "red" }, { value: "blue" }],
            default: "red",
          },
          { name: "password", type: SurveyType.SECRET, required: true },
        ],
      },
      { ...TEMPLATE, name: "projects/demo/templates/again", repository: "projects/demo/repositories/more" },
    ],
  });
  expect(proper).toEqual([]);
});

test("catalog and project are required", () => {
  expect(violations(ApplyCatalogRequestSchema, {})).toEqual(["catalog: Required; got nothing"]);
  expect(violations(ApplyCatalogRequestSchema, { catalog: {} })).toEqual([
    "catalog.project: Required; got nothing",
  ]);
});

test.each<[string, Init<typeof CatalogSchema>, string]>([
  ["no project's name", { project: { name: "" } }, "catalog.project.name: .*got nothing"],
  [
    "a project's name",
    { project: { name: "Demo 1" } },
    'catalog.project.name: .*names have at most 63 lower-case letters.*got "Demo 1"',
  ],
  [
    "a limit",
    { project: { name: "demo", maxParallelTasks: -1 } },
    "catalog.project.max_parallel_tasks: 0 to 10000; got -1",
  ],
  ["a relative folder", repository("./scripts"), 'catalog.repositories\\[0\\].url: .*got "./scripts"'],
  ["no folder", repository(""), "catalog.repositories\\[0\\].url: Required"],
  ["another machine's folder", repository("file://host/srv"), "catalog.repositories\\[0\\].url: "],
  ["a password in the URL", repository("https://u:p@example.org/x.git"), "catalog.repositories\\[0\\].url: "],
  ["an option as a host", repository("ssh://-oProxyCommand=x/y"), "catalog.repositories\\[0\\].url: "],
  ["another protocol", repository("ext::sh -c x"), "catalog.repositories\\[0\\].url: "],
  ["a hidden slash", repository("file:///srv/%2e%2f"), "catalog.repositories\\[0\\].url: "],
  ["a key's path", sshKey("~/.ssh/id_ed25519"), "catalog.access_keys\\[0\\].ssh.private_key: A private key"],
  [
    "a public key",
    sshKey("ssh-ed25519 AAAAC3 me"),
    "catalog.access_keys\\[0\\].ssh.private_key: A private key",
  ],
  [
    "a name twice",
    { environments: [{ name: "a" }, { name: "b" }, { name: "projects/demo/environments/a" }] },
    "catalog.environments\\[2\\].name: each name once; got .* again",
  ],
  [
    "too many",
    { environments: Array.from({ length: 1001 }, (_, i) => ({ name: `e${i}` })) },
    "catalog.environments: At most 1000; got 1001 items",
  ],
  [
    "environment's variables",
    { environments: [{ name: "a", env: { "x y": "" } }] },
    'catalog.environments\\[0\\].env\\["x y"\\]: Names match',
  ],
  [
    "a name of another project",
    { environments: [{ name: "projects/other/environments/a" }] },
    "catalog.environments\\[0\\].name: .*of another project",
  ],
  [
    "a name of another kind",
    { environments: [{ name: "projects/demo/templates/a" }] },
    "catalog.environments\\[0\\].name: ",
  ],
])("%s is refused", (_, catalog, expected) => {
  const found = apply(catalog);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(new RegExp(`^${expected}`));
});

test.each<[string, Init<typeof TemplateSchema>, string]>([
  ["no app", { app: "" }, "app: Required; got nothing"],
  ["no repository", { repository: "" }, "repository: Required. .*got nothing"],
  [
    "a repository of another project",
    { repository: "projects/other/repositories/x" },
    "repository: .*of another project",
  ],
  [
    "an environment of another project",
    { environment: "projects/other/environments/x" },
    "environment: .*of another project",
  ],
  ["no path", { path: "" }, "path: Required. .*got nothing"],
  ["an absolute path", { path: "/etc/passwd" }, "path: "],
  ["a path that leads out", { path: "a/../../b" }, "path: .*it must stay inside the repository"],
  ["the folder above", { path: ".." }, "path: "],
  ["NUL in a path", { path: "a\0b" }, "path: "],
  [
    "a kind that is not there",
    { type: 9 as TemplateType },
    "type: one of TEMPLATE_TYPE_UNSPECIFIED, .*got 9",
  ],
  ["too little time", { idleTimeout: { nanos: 1 } }, "idle_timeout: from 1 second"],
  ["NUL in an argument", { arguments: ["\0"] }, "arguments\\[0\\]: no NUL"],
  ["a reserved name", { env: { SIGNALMAN_X: "" } }, 'env\\["SIGNALMAN_X"\\]: '],
])("of a template, %s is refused", (_, init, expected) => {
  const found = template(init);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(new RegExp(`^catalog.templates\\[0\\].${expected}`));
});

describe("a survey", () => {
  const at = "catalog.templates[0].survey";

  test.each<[string, Init<typeof SurveyVariableSchema>, string]>([
    ["a name", { name: "x y" }, "name: "],
    ["no name", { name: "" }, "name: "],
    [
      "an enum without values",
      { name: "x", type: SurveyType.ENUM },
      "values: Required for an enum, else empty; got 0 items",
    ],
    [
      "values without an enum",
      { name: "x", values: [{ value: "a" }] },
      "values: Required for an enum, else empty; got 1 items",
    ],
    [
      "a value that is none",
      { name: "x", type: SurveyType.ENUM, values: [{ name: "A" }] },
      "values[0].value: Required; got nothing",
    ],
    [
      "another default",
      { name: "x", type: SurveyType.ENUM, values: [{ value: "a" }], default: "b" },
      'default: must be a valid answer; got "b"',
    ],
    [
      "a default that is no number",
      { name: "x", type: SurveyType.INT, default: "1.5" },
      'default: must be a valid answer; got "1.5"',
    ],
    [
      "a type that is not there",
      { name: "x", type: 7 as SurveyType },
      "type: one of SURVEY_TYPE_UNSPECIFIED, ",
    ],
  ])("with %s is refused", (_, question, expected) => {
    const [found, ...more] = survey({ name: "fine" }, question);
    expect(more).toEqual([]);
    expect(found).toContain(`${at}[1].${expected}`);
  });

  test("has each name once", () => {
    expect(survey({ name: "a" }, { name: "b" }, { name: "a" })).toEqual([
      `${at}[2].name: each name once; got "a" again`,
    ]);
  });

  test("has at most 100 questions", () => {
    const questions = Array.from({ length: 101 }, (_, i) => ({ name: `q${i}` }));
    expect(survey(...questions)).toEqual([`${at}: At most 100; got 101 items`]);
  });

  test("has no default for a secret, and the error does not show it", () => {
    const found = survey({ name: "password", type: SurveyType.SECRET, default: "hunter2" });
    expect(found).toEqual([`${at}[0].default: Not for a secret; got one`]);
  });
});

function repository(url: string): Init<typeof CatalogSchema> {
  return { repositories: [{ name: "scripts", url }] };
}
