import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { EndReason } from "../../../../gen/signalman/v1/task_pb.ts";
import { makeRepository, type Repository } from "../../../git/repository.ts";
import { hasAnsible, NO_ANSIBLE } from "../../../support/ansible.ts";
import { startService, type TestService } from "../../../support/service.ts";
import { applyPlaybooks, LOCAL, play } from "./scene.ts";

const from = (place: string) => LOCAL.replace("\n", ` place=${place}\n`);
const script = "#!/bin/sh\necho of-a-script\n";

let service: TestService;
let other: Repository;
beforeAll(async () => {
  if (!hasAnsible) return;
  service = await startService();
  other = makeRepository();
  other.commit("hosts", from("another-repository"));
  symlinkSync("/etc", join(other.path, "out"));
  other.git("add", "out");
  other.git("commit", "--quiet", "--message", "Lead out");
  const file = (path: string, repository = "") => ({
    source: { case: "file", value: { path, repository } } as const,
  });
  const folder = await applyPlaybooks(
    service,
    {
      "site.yml": '- hosts: all\n  gather_facts: false\n  tasks: [{ debug: { msg: "from {{ place }}" } }]\n',
      "mine/hosts": from("the-same-repository"),
    },
    {
      text: { path: "site.yml", inventory: "text", allowOverrideInventory: true },
      none: { path: "site.yml", inventory: "here", vaults: [{ source: { case: "script", value: "v.sh" } }] },
    },
    {
      repositories: [{ name: "other", url: other.path }],
      inventories: [
        { name: "text", source: { case: "yaml", value: yaml("a-text") } },
        { name: "broken", source: { case: "yaml", value: "all: [hosts: {" } },
        { name: "mine", ...file("mine") },
        { name: "other", ...file("hosts", "other") },
        { name: "linked", ...file("out/hosts", "other") },
        { name: "missing", ...file("nowhere") },
      ],
    },
  );
  writeFileSync(join(folder, "v.sh"), script, { mode: 0o644 });
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  other?.[Symbol.dispose]();
});
beforeEach((context) => void (hasAnsible || context.skip(NO_ANSIBLE)));

const yaml = (place: string) =>
  `all: {hosts: {here: {ansible_connection: local, ansible_python_interpreter: /usr/bin/python3, place: ${place}}}}\n`;

test.each([
  ["text", "a-text"],
  ["mine", "the-same-repository"],
  ["other", "another-repository"],
])("the inventory %s is from %s", async (name, place) => {
  const { output } = await play(service, "text", { inventory: `projects/demo/inventories/${name}` });
  expect(output).toContain(`from ${place}`);
});

test.each([
  [
    "linked",
    "Cannot use projects/demo/inventories/linked: out/hosts leads out of projects/demo/repositories/other",
  ],
  [
    "missing",
    "Cannot use projects/demo/inventories/missing: there is no nowhere in projects/demo/repositories/playbooks",
  ],
])("the inventory %s is refused", async (name, reason) => {
  const { task } = await play(service, "text", { inventory: `projects/demo/inventories/${name}` });
  expect(task.end?.reason).toBe(EndReason.PREPARE_FAILED);
  expect(task.end?.message).toContain(reason);
});

test("an inventory that Ansible cannot read is an error, not a play without hosts", async () => {
  const { task } = await play(service, "text", { inventory: "projects/demo/inventories/broken" });
  expect(task.end).toMatchObject({ reason: EndReason.EXIT_CODE, exitCode: expect.any(Number) });
});

test("a vault's script that cannot be executed is refused, since its text would be the password", async () => {
  const { task } = await play(service, "none");
  expect(task.end?.message).toMatch(/^Cannot open a vault with the script v.sh: it is not executable/);
});
