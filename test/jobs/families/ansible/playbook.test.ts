import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { EndReason, TaskStatus } from "../../../../gen/signalman/v1/task_pb.ts";
import { TaskService } from "../../../../gen/signalman/v1/task_service_pb.ts";
import { TemplateType } from "../../../../gen/signalman/v1/template_pb.ts";
import { cli } from "../../../cli/cli.ts";
import { hasAnsible, NO_ANSIBLE } from "../../../support/ansible.ts";
import { startService, type TestService } from "../../../support/service.ts";
import { applyPlaybooks, play, resultOf } from "./scene.ts";
import { type SilentHosts, startSilentHosts } from "./silent-hosts.ts";

const head = "- hosts: all\n  gather_facts: false\n";
const PLAYBOOKS = {
  "show.yml": `${head}  tasks:
    - debug: msg="mine={{ mine | default('-') }} theirs={{ theirs | default('-') }} secret={{ (pin | default('')) | length }}"
    - debug: msg="deep={{ deep.list[0] | default('-') }}"
      when: deep is defined
    - debug: msg="task={{ semaphore_vars.task_details.id }} inventory={{ semaphore_vars.task_details.inventory_name }}"
`,
  "count.yml": `${head}  tasks:
    - command: "true"
    - debug: msg=hidden
      when: false
    - fail: msg="passed over {{ pin | default('') }}"
      ignore_errors: true
    - block:
        - fail: msg=rescued
      rescue:
        - debug: msg=saved
    - name: the last
      fail: msg="it went wrong {{ pin | default('') }}"
`,
  "meet.yml": `${head}  tasks:
    - add_host: name="at-{{ pin }}" ansible_connection=local
- hosts: "at-*"
  gather_facts: false
  tasks:
    - fail: msg=no
`,
  "version.yml": `${head}  tasks:
    - debug: msg="{{ lookup('env', 'SEMAPHORE_TASK_TYPE') }} {{ lookup('env', 'SEMAPHORE_TASK_TARGET_VERSION') }} {{ semaphore_vars.task_details.target_version }}"
`,
  "gone.yml": "- hosts: all\n  tasks: []\n",
  "stats.yml": `${head}  tasks:
    - set_stats:
        data:
          word: "{{ mine }}"
          leak: "with {{ pin }}"
          number: "{{ 9007199254740993 | int }}"
          nested: { list: [1, true, null, "x"], when: 2026-01-01 }
    - set_stats: { data: { count: 1 }, aggregate: true }
    - set_stats: { data: { own: 1 }, per_host: true }
`,
  "odd.yml": `${head}  tasks:
    - fail: msg="NUL \\x00, half \\ud800"
`,
  "ask.yml": `- hosts: all
  gather_facts: false
  vars_prompt: [{ name: who, private: false }, { name: where, default: here }]
  tasks:
    - pause: prompt=wait
    - debug: msg="{{ who }} {{ where }}"
`,
  "config.yml": `${head}  tasks:\n    - debug: msg="{{ lookup('config', 'DEFAULT_FORKS') }} {{ lookup('config', 'DEFAULT_CALLBACK_PLUGIN_PATH') }}"\n`,
  "ansible.cfg": "[defaults]\nforks = 3\ncallback_plugins = ./mine\n",
};

let service: TestService;
let hosts: SilentHosts;
beforeAll(async () => {
  if (!hasAnsible) return;
  hosts = await startSilentHosts();
  service = await startService();
  await applyPlaybooks(
    service,
    PLAYBOOKS,
    {
      show: {
        path: "show.yml",
        environment: "e",
        survey: [{ name: "mine" }],
        settings: { case: "ansible", value: { verbosity: 1, allowOverrideLimit: true } },
      },
      count: { path: "count.yml" },
      meet: { path: "meet.yml" },
      build: { path: "version.yml", type: TemplateType.BUILD, startVersion: "1.0.0" },
      gone: { path: "gone.yml", inventory: "gone" },
      odd: { path: "odd.yml" },
      stats: { path: "stats.yml" },
      ask: { path: "ask.yml" },
      mute: { path: "count.yml", inventory: "mute" },
      config: { path: "config.yml" },
      nowhere: { path: "nowhere.yml" },
    },
    {
      environments: [{ name: "e", variables: { theirs: "{{ 20 + 3 }}" } }],
      inventories: [
        {
          name: "gone",
          source: {
            case: "yaml",
            value: "all: {hosts: {far: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n",
          },
        },
        {
          name: "mute",
          source: {
            case: "ini",
            value: `silent ansible_port=${hosts.silent}\nvoid ansible_port=${hosts.void}\n[all:vars]\nansible_host=127.0.0.1\n`,
          },
        },
      ],
    },
  );
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await hosts?.[Symbol.asyncDispose]();
});
beforeEach((context) => void (hasAnsible || context.skip(NO_ANSIBLE)));

describe("variables", () => {
  test("of the caller are text at any depth, those of the environment are templated, and task details have Semaphore UI's names", async () => {
    const evil = "{{ lookup('pipe', 'id') }}";
    const { task, output } = await play(service, "show", {
      variables: { mine: evil, deep: { list: [evil] } },
    });
    expect(task.status).toBe(TaskStatus.SUCCESS);
    expect(output).toContain(`mine=${evil} theirs=23`);
    expect(output).toContain(`deep=${evil}`);
    expect(output).toContain(`task=${task.name.split("/").at(-1)} inventory=here`);
  });

  test("hold a build's version, in the environment and in the task details", async () => {
    const { output } = await play(service, "build");
    expect(output).toContain("build 1.0.0 1.0.0");
  });

  test("that are secret reach the playbook and are masked in the log", async () => {
    const { output } = await play(service, "show", { secretVariables: { pin: "{{ 1 }} tell nobody" } });
    expect(output).toContain("secret=19");
    expect(output).not.toContain("tell nobody");
  });
});

describe("the result of a play", () => {
  test("has the counts of each host and the failed tasks, secrets masked; the command line shows it", async () => {
    const { task } = await play(service, "count", { secretVariables: { pin: "tell nobody" } });
    expect(task).toMatchObject({
      status: TaskStatus.ERROR,
      end: { exitCode: 2, message: expect.stringContaining("a task failed on some host") },
    });
    const result = await resultOf(service, task.name);
    expect(result?.hosts).toMatchObject([
      { host: "here", ok: 3, changed: 1, failed: 1, skipped: 1, rescued: 1, ignored: 1, unreachable: 0 },
    ]);
    expect(result?.failures).toMatchObject([
      { host: "here", play: "all", action: "fail", message: "passed over ***", ignored: true },
      { message: "rescued", ignored: false },
      { task: "the last", message: "it went wrong ***" },
    ]);
    const shown = await cli(["get", task.name], { server: service.url });
    expect(shown.stdout).toMatch(/^result:\n {2}ansible:\n {4}hosts:\n {6}- host: here$/m);
    const run = await cli(["run", "demo/count"], { server: service.url });
    expect(run.stderr).toMatch(/^signalman: host {2}ok {2}changed {2}unreachable/m);
    expect(run.stderr).toMatch(/^signalman: here: the last failed: it went wrong/m);
  });

  test("has the values that set_stats sets for the whole run, secrets masked", async () => {
    const variables = { mine: "0123" };
    const { task } = await play(service, "stats", { variables, secretVariables: { pin: "tell-nobody" } });
    const { result } = await service.client(TaskService).getTaskResult({ name: task.name });
    expect(result?.outputs).toMatchObject({
      word: "0123",
      leak: "with ***",
      nested: { list: [1, true, null, "x"], when: "2026-01-01" },
      count: 1,
    });
    expect(String(result?.outputs?.number)).toBe("9007199254740993");
    expect(result?.outputs).not.toHaveProperty("own");
  });

  test("masks secrets also in the names of hosts", async () => {
    const { task } = await play(service, "meet", { secretVariables: { pin: "tell-nobody" } });
    const result = await resultOf(service, task.name);
    expect(result?.hosts.map(({ host }) => host)).toEqual(["at-***", "here"]);
    expect(result?.failures).toMatchObject([{ host: "at-***", message: "no" }]);
  });

  test("replaces characters that PostgreSQL cannot store", async () => {
    const { task } = await play(service, "odd");
    const result = await resultOf(service, task.name);
    expect(result?.failures).toMatchObject([{ message: "NUL \ufffd, half \ufffd" }]);
  });

  test("names the hosts that could not be reached", async () => {
    const { task } = await play(service, "gone");
    expect(task.end?.exitCode).toBe(4);
    const result = await resultOf(service, task.name);
    expect(result?.hosts).toMatchObject([{ host: "far", unreachable: 1 }]);
    expect(result?.failures).toMatchObject([{ host: "far", unreachable: true }]);
  });
});

describe("a playbook that prompts for a variable", () => {
  test("fails with a message if the task does not set the variable", async () => {
    const { task, said } = await play(service, "ask");
    expect(task.end).toMatchObject({ reason: EndReason.EXIT_CODE, exitCode: 99 });
    expect(task.end?.message).toMatch(/: the playbook prompts for a variable, but tasks are non-interactive/);
    expect(said).toContain("playbook ask.yml");
  });

  test("runs without a pause if the task sets the variable, and uses the prompt's default", async () => {
    const { task, output } = await play(service, "ask", { variables: { who: "me" } });
    expect(task.status).toBe(TaskStatus.SUCCESS);
    expect(output).toContain('"msg": "me here"');
  });
});

test("hosts that accept a connection and stay silent, or drop packets, fail after Ansible's timeout of 10 s", async () => {
  const { task } = await play(service, "mute", { runTimeout: { seconds: 60n } });
  expect(task.end).toMatchObject({ reason: EndReason.EXIT_CODE, exitCode: 4 });
  const result = await resultOf(service, task.name);
  // They give up at the same time, in any order.
  const failures = result?.failures.toSorted((one, two) => one.host.localeCompare(two.host)) ?? [];
  expect(failures).toMatchObject([
    { host: "silent", unreachable: true, message: expect.stringMatching(/timed out during banner exchange/) },
    { host: "void", unreachable: true, message: expect.stringMatching(/Connection timed out/) },
  ]);
  expect(failures[0]?.message).not.toContain("\r");
});

test("the repository's ansible.cfg is used, also for search paths to which Signalman adds folders", async () => {
  const { output } = await play(service, "config");
  expect(output).toMatch(/"msg": "3 .*report.*\/mine/);
});

test("a missing playbook is named in the message", async () => {
  const { task } = await play(service, "nowhere");
  expect(task.end).toMatchObject({
    reason: EndReason.PREPARE_FAILED,
    message: expect.stringContaining(
      "Cannot run nowhere.yml: there is no such file in projects/demo/repositories/playbooks",
    ),
  });
});
