import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { TaskStatus } from "../../../../gen/signalman/v1/task_pb.ts";
import { hasAnsible, NO_ANSIBLE } from "../../../support/ansible.ts";
import { startService, type TestService } from "../../../support/service.ts";
import { ODD_TEXTS } from "./odd-texts.ts";
import { applyPlaybooks, play } from "./scene.ts";

/** Writes all variables of the test as JSON, so that no template evaluates their texts again. */
const PLAYBOOK = `- hosts: all
  gather_facts: false
  vars:
    names: "{{ q('varnames', '^(plain|secret)[0-9]+$|^nested$') | sort }}"
  tasks:
    - copy:
        dest: "{{ target }}"
        content: "{{ dict(names | zip(q('vars', *names))) | to_json }}"
`;

let service: TestService;
let out: string;
beforeAll(async () => {
  if (!hasAnsible) return;
  out = mkdtempSync(join(tmpdir(), "signalman-texts-"));
  service = await startService();
  await applyPlaybooks(service, { "show.yml": PLAYBOOK }, { show: { path: "show.yml" } });
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  if (out) rmSync(out, { recursive: true });
});
beforeEach((context) => void (hasAnsible || context.skip(NO_ANSIBLE)));

test("text from a caller reaches a playbook unchanged, plain or secret, at any depth, even if it looks like a template", async () => {
  const target = join(out, "got.json");
  const named = (prefix: string, texts: readonly string[]) =>
    Object.fromEntries(texts.map((text, at) => [`${prefix}${at}`, text]));
  const nested: JsonObject = {
    list: [...ODD_TEXTS],
    map: named("key", ODD_TEXTS),
    // RunTask refuses names that hold an expression.
    names: Object.fromEntries(ODD_TEXTS.filter((text) => !/\{[{%#]/.test(text)).map((text) => [text, text])),
    deep: [{ "<<": [{ "=": ["0123", "{{ 1 }}", ""] }] }],
    rest: [1, -1.5, 1e21, true, null, {}],
  };
  const secretVariables = named("secret", ODD_TEXTS.filter(Boolean));
  const { task, output } = await play(service, "show", {
    variables: { ...named("plain", ODD_TEXTS), nested, target },
    secretVariables,
  });
  expect(output).not.toContain("00012345");
  expect(task.status).toBe(TaskStatus.SUCCESS);
  const got = JSON.parse(readFileSync(target, "utf8")) as JsonObject;
  expect(got).toEqual({ ...named("plain", ODD_TEXTS), ...secretVariables, nested });
});
