import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { AppService } from "../../../../gen/signalman/v1/app_service_pb.ts";
import { LogStream, TaskStatus } from "../../../../gen/signalman/v1/task_pb.ts";
import { hasAnsible, NO_ANSIBLE } from "../../../support/ansible.ts";
import { bytesOf } from "../../../support/demo.ts";
import { startService, type TestService } from "../../../support/service.ts";
import { applyPlaybooks, play } from "./scene.ts";

const head = "- hosts: all\n  gather_facts: false\n";
const FILES = {
  "deploy/ansible.cfg": "[defaults]\nFORKS = 3\nroles_path = $PWD/../shared\n",
  "deploy/books/site.yml": `${head}  roles: [greet]\n  tasks:\n    - debug: msg="{{ lookup('config', 'DEFAULT_FORKS') }} in {{ lookup('env', 'PWD') | basename }}"\n`,
  "deploy/requirements.yaml": "roles: []\ncollections: []\n",
  "shared/greet/tasks/main.yml": '- debug: msg="greetings from the role"\n',
  "plain.yml": `${head}  tasks:\n    - debug: msg=hello\n`,
  "quiet/ansible.cfg": "[defaults]\nNoColor = yes\n",
  "quiet/site.yml": `${head}  tasks:\n    - debug: msg=hello\n`,
};

let service: TestService;
let home: string;

/** A home where `pip install --user` has put an ansible-playbook, with the package that it needs. */
function makeHome(): string {
  const made = mkdtempSync(join(tmpdir(), "signalman-home-"));
  const print = ["-c", "import site; print(site.getusersitepackages())"];
  const packages = execFileSync("/usr/bin/python3", print, { env: { HOME: made } })
    .toString()
    .trim();
  const bin = join(made, ".local/bin");
  for (const folder of [packages, bin]) mkdirSync(folder, { recursive: true });
  writeFileSync(join(packages, "from_pip.py"), 'def main():\n    print("ansible-playbook [core 9.9.9]")\n');
  for (const name of ["ansible-playbook", "ansible-galaxy"])
    writeFileSync(join(bin, name), "#!/usr/bin/python3\nimport from_pip\nfrom_pip.main()\n", { mode: 0o755 });
  return made;
}

beforeAll(async () => {
  if (!hasAnsible) return;
  service = await startService();
  await applyPlaybooks(service, FILES, {
    placed: { path: "deploy/books/site.yml", workingDir: "deploy" },
    quiet: { path: "quiet/site.yml", workingDir: "quiet" },
    plain: { path: "plain.yml" },
    nocolor: { path: "plain.yml", env: { ANSIBLE_NOCOLOR: "1" } },
    unforced: { path: "plain.yml", env: { ANSIBLE_FORCE_COLOR: "False" } },
    outside: { path: "plain.yml", workingDir: "nowhere" },
  });
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  if (home) rmSync(home, { recursive: true });
});
beforeEach((context) => void (hasAnsible || context.skip(NO_ANSIBLE)));

describe("working_dir", () => {
  test("is where the playbook runs and where ansible.cfg is found", async () => {
    const { task, output } = await play(service, "placed");
    expect(task.status).toBe(TaskStatus.SUCCESS);
    expect(output).toContain("greetings from the role");
    expect(output).toContain("3 in deploy");
  });

  test("fails the task with its name if it does not exist", async () => {
    const { task } = await play(service, "outside");
    expect(task.end?.message).toMatch(/^Cannot work in nowhere: there is no such folder in projects\/demo/);
  });
});

test.each([
  ["plain", {}, true],
  ["quiet", {}, false],
  ["nocolor", {}, false],
  ["plain", { NO_COLOR: "1" }, false],
  ["unforced", {}, false],
])("%s with %j has colors: %j", async (template, env, expected) => {
  const { events } = await play(service, template, { env: env as Record<string, string> });
  expect(bytesOf(events, LogStream.STDOUT).includes("\u001b[")).toBe(expected);
});

test("an Ansible that pip has installed for the server's user finds its packages", async () => {
  home = makeHome();
  const env = { HOME: home, PATH: `${join(home, ".local/bin")}:${process.env.PATH}` };
  await using other = await startService({ env });
  await applyPlaybooks(other, FILES, { plain: { path: "plain.yml" } });
  const { task, output } = await play(other, "plain");
  expect(output).toContain("[core 9.9.9]");
  expect(task.status).toBe(TaskStatus.SUCCESS);
  const { apps } = await other.client(AppService).listApps({});
  expect(apps.find(({ name }) => name === "ansible")).toMatchObject({
    version: "ansible-playbook [core 9.9.9]",
  });
});
