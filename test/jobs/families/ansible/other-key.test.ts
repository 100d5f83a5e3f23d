import { randomBytes } from "node:crypto";
import { existsSync, mkdtempDisposableSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { TaskService } from "../../../../gen/signalman/v1/task_service_pb.ts";
import { cli } from "../../../cli/cli.ts";
import { until } from "../../../process/harness.ts";
import { hasAnsible, NO_ANSIBLE } from "../../../support/ansible.ts";
import { endOf, runDemo, watchToEnd } from "../../../support/demo.ts";
import { startService, type TestService } from "../../../support/service.ts";
import { applyPlaybooks, resultOf } from "./scene.ts";

const newKey = () => randomBytes(32).toString("base64");
const env = { SIGNALMAN_SECRET_KEY: newKey() };

let service: TestService;
beforeAll(async () => {
  if (hasAnsible) service = await startService({ env });
});
afterAll(() => service?.[Symbol.asyncDispose]());
beforeEach((context) => void (hasAnsible || context.skip(NO_ANSIBLE)));

/** The journal of the only task's program. */
function journal(): string {
  const tasks = join(service.dataDir, "tasks");
  const files = readdirSync(tasks, { recursive: true, encoding: "utf8" }).filter((name) =>
    /\/run$/.test(name),
  );
  return files.map((name) => readFileSync(join(tasks, name), "utf8")).join("");
}

test("a server that cannot decrypt a task's secrets stores no output of its playbook, since it could not mask it", async () => {
  using folder = mkdtempDisposableSync(join(service.dataDir, "..", "signalman-other-key-"));
  const [started, go] = ["started", "go"].map((name) => join(folder.path, name)) as [string, string];
  const playbook = `- hosts: all
  gather_facts: false
  tasks:
    - copy: dest=${started} content=x
    - wait_for: path=${go} sleep=1
    - fail: msg="it went wrong {{ pin }}"
`;
  await applyPlaybooks(service, { "wait.yml": playbook }, { wait: { path: "wait.yml" } });
  const { name } = await runDemo(service, "wait", { secretVariables: { pin: "hunter2-hunter2" } });
  await until(() => existsSync(started));
  await service.kill("SIGKILL");
  writeFileSync(go, "");
  await until(() => /^exit/m.test(journal()));
  env.SIGNALMAN_SECRET_KEY = newKey();
  const variables = { DATABASE_URL: service.databaseUrl, SIGNALMAN_DATA_DIR: service.dataDir, ...env };
  await cli(["rotate-secrets", "--lost-key"], { env: variables });
  await service.start();
  const events = await watchToEnd(service, name);
  expect(endOf(events).end?.message).toContain("Cannot open the secrets of the task");
  expect(await resultOf(service, name)).toBeUndefined();
  const { lines } = await service.client(TaskService).readTaskLog({ name });
  expect(lines.map(({ content }) => Buffer.from(content).toString()).join("\n")).not.toContain("hunter2");
});
