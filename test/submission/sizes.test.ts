import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { EnvironmentSchema } from "../../gen/signalman/v1/environment_pb.ts";
import { RunTaskRequestSchema } from "../../gen/signalman/v1/task_service_pb.ts";
import { TemplateSchema } from "../../gen/signalman/v1/template_pb.ts";
import { tooLarge } from "../../src/submission/sizes.ts";

interface Settings {
  template?: MessageInitShape<typeof TemplateSchema>;
  environment?: MessageInitShape<typeof EnvironmentSchema>;
  request?: MessageInitShape<typeof RunTaskRequestSchema>;
}

function refused({ template, environment, request }: Settings): string[] {
  const parts = {
    template: create(TemplateSchema, { name: "projects/p/templates/t", app: "bash", ...template }),
    environment:
      environment && create(EnvironmentSchema, { name: "projects/p/environments/e", ...environment }),
  };
  const found = tooLarge(parts, create(RunTaskRequestSchema, request ?? {}));
  return found.map(({ field, description }) => `${field}: ${description}`);
}

const LARGE = "x".repeat(200_000);
const FITS = "x".repeat(131_000 - "NAME=".length);
const single = (what: string) =>
  new RegExp(`${what} has 200\\d{3} bytes with its name; .*at most 131000 .*128 KiB`);

describe("an argument or a variable that is too large is refused with its name:", () => {
  const cases: [string, Settings, string, string][] = [
    ["a variable", { request: { variables: { NAME: LARGE } } }, 'variables["NAME"]', 'variables["NAME"]'],
    [
      "a variable of make",
      { template: { app: "make" }, request: { variables: { NAME: LARGE } } },
      'variables["NAME"]',
      'variables["NAME"]',
    ],
    ["a list", { request: { variables: { NAME: [LARGE] } } }, 'variables["NAME"]', 'variables["NAME"]'],
    [
      "a secret",
      { request: { secretVariables: { NAME: LARGE } } },
      'secret_variables["NAME"]',
      'secret_variables["NAME"]',
    ],
    ["env", { request: { env: { NAME: LARGE } } }, 'env["NAME"]', 'env["NAME"]'],
    ["an argument", { request: { arguments: ["a", LARGE] } }, "arguments[1]", "arguments[1]"],
    [
      "an argument of the template",
      { template: { arguments: [LARGE] } },
      "template",
      "argument 1 of projects/p/templates/t",
    ],
    [
      "a variable of the template",
      { template: { variables: { NAME: LARGE } } },
      "template",
      "NAME of projects/p/templates/t",
    ],
    [
      "a variable of the environment",
      { environment: { variables: { NAME: LARGE } } },
      "template",
      "NAME of projects/p/environments/e",
    ],
    [
      "Ansible's limit, which is one argument",
      {
        template: { app: "ansible" },
        request: { params: { case: "ansible", value: { limit: Array(400).fill("x".repeat(500)) } } },
      },
      "ansible.limit",
      "ansible.limit",
    ],
  ];
  test.each(cases)("%s", (_, settings, field, what) => {
    const [sentence, ...more] = refused(settings);
    expect(more).toEqual([]);
    expect(sentence?.startsWith(`${field}: `)).toBe(true);
    expect(sentence).toMatch(single(what.replaceAll(/[[\]]/g, "\\$&")));
  });
});

test("arguments and variables that are too large together are refused with the largest of them", () => {
  const secretVariables = Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => [`B${i}`, "x".repeat(100_000 + i)]),
  );
  expect(refused({ request: { secretVariables } })).toEqual([
    'secret_variables["B39"]: arguments and environment of the program have 4000930 bytes together, of which secret_variables["B39"] has 100043; at most 1572864 (1.5 MiB) are allowed: put large values into files',
  ]);
});

test("arguments and variables that are too many are refused, however short", () => {
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`V${i}`, ""]));
  expect(refused({ request: { arguments: ["a"], env: many(10_000) } })).toEqual([
    'env["V9999"]: the program has 10001 arguments and variables; at most 10000 are allowed',
  ]);
  expect(refused({ request: { env: many(10_000) } })).toEqual([]);
});

test("values that fit, are overridden or are passed in a file are accepted", () => {
  expect(refused({ request: { variables: { NAME: FITS }, env: { NAME: FITS } } })).toEqual([]);
  expect(
    refused({ template: { variables: { NAME: LARGE } }, request: { variables: { NAME: "x" } } }),
  ).toEqual([]);
  for (const app of ["ansible", "terraform"]) {
    const request = { variables: { NAME: LARGE }, secretVariables: { OTHER: LARGE } };
    expect(refused({ template: { app }, request })).toEqual([]);
  }
});
