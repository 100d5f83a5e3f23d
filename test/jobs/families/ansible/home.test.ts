import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { TaskStatus } from "../../../../gen/signalman/v1/task_pb.ts";
import { hasAnsible, NO_ANSIBLE } from "../../../support/ansible.ts";
import { startService, type TestService } from "../../../support/service.ts";
import { applyPlaybooks, play } from "./scene.ts";

const PLAYBOOK = `- hosts: all
  gather_facts: false
  tasks:
    - { name: polled, command: "true", async: 20, poll: 1 }
    - { name: begun, command: "true", async: 20, poll: 0, register: job }
    - debug: msg="in {{ job.results_file }}"
    - name: waited
      ansible.builtin.async_status: { jid: "{{ job.ansible_job_id }}" }
      register: seen
      until: seen is finished
      retries: 20
      delay: 1
    - { name: tidied, async_status: { jid: "{{ job.ansible_job_id }}", mode: cleanup } }
`;

const TILDE = `- hosts: all
  gather_facts: false
  tasks:
    - { name: written, copy: { dest: ~/signalman-test, content: it is here } }
    - { name: read, slurp: { src: "{{ lookup('env', 'HOME') }}/signalman-test" }, register: file }
    - debug: msg="{{ file.content | b64decode }}"
`;

let service: TestService;
beforeAll(async () => {
  if (!hasAnsible) return;
  service = await startService();
  const elsewhere = join(service.dataDir, "elsewhere");
  await applyPlaybooks(
    service,
    { "async.yml": PLAYBOOK, "tilde.yml": TILDE },
    {
      tilde: { path: "tilde.yml" },
      async: { path: "async.yml" },
      placed: { path: "async.yml", variables: { ansible_async_dir: elsewhere } },
    },
  );
});
afterAll(() => service?.[Symbol.asyncDispose]());
beforeEach((context) => void (hasAnsible || context.skip(NO_ANSIBLE)));

test("tasks with async find their jobs on a local connection, below the task's own HOME", async () => {
  const real = join(homedir(), ".ansible_async");
  const was = existsSync(real);
  const { task, output } = await play(service, "async");
  expect(output).toContain(`in ${join(service.dataDir, "tasks", task.name.split("/").at(-1) ?? "", "home")}`);
  expect(task.status).toBe(TaskStatus.SUCCESS);
  expect(existsSync(real)).toBe(was);
});

test("a variable that names the folder of jobs is respected", async () => {
  const { task, output } = await play(service, "placed");
  expect(output).toContain(`in ${join(service.dataDir, "elsewhere")}`);
  expect(task.status).toBe(TaskStatus.SUCCESS);
});

test("on a local connection, ~ is the task's own HOME for all modules", async () => {
  const { task, output } = await play(service, "tilde");
  expect(output).toContain("it is here");
  expect(task.status).toBe(TaskStatus.SUCCESS);
});
