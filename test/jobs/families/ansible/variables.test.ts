import type { JsonObject } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { TemplateType } from "../../../../gen/signalman/v1/template_pb.ts";
import { openVariables, secretVariables } from "../../../../src/jobs/families/ansible/variables.ts";
import { variablesAsYaml } from "../../../../src/jobs/families/ansible/yaml.ts";
import { ansibleInput } from "./input.ts";

const commit = { hash: "abc", message: "{{ lookup('pipe', 'id') }}" };

/** Parses YAML; values tagged `!unsafe` come as `unsafe …`. */
const read = (text: string) =>
  parse(text, {
    customTags: [{ tag: "!unsafe", resolve: (value: string) => `unsafe ${value}` }],
    version: "1.1",
  });

describe("variables as YAML", () => {
  test("are parsed back to the same values", () => {
    const variables: JsonObject = {
      text: 'quotes " and \\ and \n lines \t and \u2028 \u0085 \u007f \ufeff ✓ 😀 { } : # !',
      words: ["no", "2020-01-01", "0x10", "1e3", ""],
      numbers: [0, -1.5, 1e21, 1e-7, 12345678901],
      rest: [true, false, null, {}, [], { "a: b": [{ c: "d" }] }],
      "odd: name": 1,
    };
    expect(read(variablesAsYaml(variables, () => false))).toEqual(variables);
  });

  test("are tagged at any depth, names and numbers are not", () => {
    const text = variablesAsYaml({ a: { "{{ k }}": ["{{ x }}", { y: "{z", n: 1 }] } }, () => true);
    expect(read(text)).toEqual({ a: { "{{ k }}": ["unsafe {{ x }}", { y: "unsafe {z", n: 1 }] } });
  });

  // Since ansible-core 2.19, `!unsafe` reads its text as if it had no quotes, by the rules of YAML 1.1.
  test.each([
    ...[
      "0123",
      "-5",
      "0x1F",
      "0b101",
      "1_000",
      "1e3",
      "1.5e+3",
      ".5",
      "12:30:45",
      ".inf",
      "-.INF",
      ".nan",
      "0123\n",
    ],
    ...["2026-01-01", "2026-01-01 10:00:00.5 -5", "2026-01-01T10:00:00Z"],
    ...["yes", "No", "ON", "true", "null", "~", "", "=", "<<", "!", "&", "*"],
  ])("have quotes and no tag where YAML 1.1 would read another type than text: %j", (text) => {
    expect(variablesAsYaml({ text }, () => true)).toBe(`---\n? "text"\n: ${JSON.stringify(text)}\n`);
  });

  test("are an empty document if there are none", () => {
    expect(read(variablesAsYaml({}, () => true))).toEqual({});
  });
});

describe("variables of a task", () => {
  test("are text if the caller set them; others may be expressions", () => {
    const input = ansibleInput({
      variables: { mine: "{{ 1 }}", theirs: "{{ 2 }}" },
      callerVariables: new Set(["mine"]),
    });
    expect(read(openVariables(input, commit))).toMatchObject({ mine: "unsafe {{ 1 }}", theirs: "{{ 2 }}" });
  });

  test("include the task details of Semaphore UI as text, which users cannot set", () => {
    const input = ansibleInput({
      message: "{{ x }}",
      variables: { semaphore_vars: "mine" },
      secretVariables: { semaphore_vars: "mine too" },
      template: { type: TemplateType.BUILD, app: "ansible", path: "site.yml", workingDir: "" },
      version: "1.0.1",
    });
    const { semaphore_vars } = read(openVariables(input, commit)) as Record<string, unknown>;
    expect(semaphore_vars).toMatchObject({
      task_details: {
        id: "018f",
        message: "unsafe {{ x }}",
        commit_message: "unsafe {{ lookup('pipe', 'id') }}",
        inventory_name: "hosts",
        target_version: "1.0.1",
      },
    });
    expect(secretVariables(input)).toBeUndefined();
  });

  test("are in a separate file if they are secret, the caller's as text", () => {
    const input = ansibleInput({
      secretVariables: { pin: "{{ 1 }}", of_environment: "{{ vault }}" },
      callerVariables: new Set(["pin"]),
    });
    expect(read(secretVariables(input) ?? "")).toEqual({
      pin: "unsafe {{ 1 }}",
      of_environment: "{{ vault }}",
    });
    expect(openVariables(input, commit)).not.toContain("pin");
  });
});
