import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { AccessKeyService } from "../../../../gen/signalman/v1/access_key_pb.ts";
import { CatalogService } from "../../../../gen/signalman/v1/catalog_service_pb.ts";
import { EnvironmentService } from "../../../../gen/signalman/v1/environment_pb.ts";
import { InventoryService } from "../../../../gen/signalman/v1/inventory_pb.ts";
import { EndReason, TaskStatus } from "../../../../gen/signalman/v1/task_pb.ts";
import { TaskService } from "../../../../gen/signalman/v1/task_service_pb.ts";
import { TemplateService } from "../../../../gen/signalman/v1/template_pb.ts";
import { hasSockets, socketFolder } from "../../../../src/keys/socket-folder.ts";
import { leavesNothing } from "../../../faults/traces.ts";
import { openSql } from "../../../rpc/support.ts";
import { hasAnsible, hasProgram, NO_ANSIBLE } from "../../../support/ansible.ts";
import { endOf, runDemo, watchToEnd } from "../../../support/demo.ts";
import { startService, type TestService } from "../../../support/service.ts";
import { hasSshd, makeSshKey, NO_SSHD, type Sshd, startSshd } from "../../../support/sshd.ts";
import { applyPlaybooks, play, resultOf } from "./scene.ts";
import { canMakeSudoer, makeSudoer, NO_SUDOER, type Sudoer } from "./sudoer.ts";

/* Looks for a key's passphrase, a become password, two vaults and secret variables in every place where a secret could show. */

const fresh = () => `s-${randomBytes(9).toString("base64url")}`;
const PASSPHRASE = fresh();
const VAULTS = { one: fresh(), two: fresh() };
const VARIABLES = { of_task: fresh(), of_environment: fresh() };

const PLAYBOOK = `- hosts: all
  gather_facts: false
  become: true
  tasks:
    - command: id -un
      register: who
    - debug: msg="I am {{ who.stdout }}, {{ from_one | length }} {{ from_two | length }}, {{ of_task }} {{ of_environment }}"
    - shell: "touch {{ gate }}/started; until [ -e {{ gate }}/open ]; do sleep 0.05; done"
      when: gate is defined
    - fail: msg="with {{ of_task }}"
      ignore_errors: true
`;

const SSHD_CONFIG = ["AuthorizedKeysFile .ssh/authorized_keys", "PasswordAuthentication yes"];

let service: TestService;
let sshd: Sshd;
let user: Sudoer;
let gates: string;
const key = makeSshKey(PASSPHRASE);
const secrets = [PASSPHRASE, ...Object.values(VAULTS), ...Object.values(VARIABLES)];

beforeAll(async () => {
  if (!hasAnsible || !hasSshd || !canMakeSudoer) return;
  gates = mkdtempSync(join(tmpdir(), "signalman-gate-"));
  user = makeSudoer(key.publicKey);
  secrets.push(user.password, key.privateKey.split("\n")[3] ?? "");
  sshd = await startSshd({ authorized: [], config: SSHD_CONFIG });
  service = await startService();
  const vaulted = Object.entries(VAULTS).map(([id, password]) => [
    `group_vars/all/${id}.yml`,
    encrypted(id, password),
  ]);
  const vaults = Object.keys(VAULTS).map((name) => ({
    name,
    source: { case: "key", value: `vault-${name}` } as const,
  }));
  await applyPlaybooks(
    service,
    { "site.yml": PLAYBOOK, ...Object.fromEntries(vaulted) },
    {
      site: {
        path: "site.yml",
        inventory: "ssh",
        environment: "e",
        vaults,
        allowOverrideInventory: true,
      },
    },
    {
      accessKeys: [
        {
          name: "ssh",
          kind: {
            case: "ssh",
            value: { login: user.name, privateKey: key.privateKey, passphrase: PASSPHRASE },
          },
        },
        {
          name: "login",
          kind: { case: "loginPassword", value: { login: user.name, password: user.password } },
        },
        {
          name: "become",
          kind: { case: "loginPassword", value: { login: "root", password: user.password } },
        },
        ...Object.entries(VAULTS).map(([name, value]) => ({
          name: `vault-${name}`,
          kind: { case: "text", value: { value } } as const,
        })),
      ],
      environments: [{ name: "e", secretVariables: { of_environment: VARIABLES.of_environment } }],
      inventories: [
        { name: "ssh", sshKey: "ssh", becomeKey: "become" },
        { name: "login", sshKey: "login", becomeKey: "become" },
        { name: "no-become", sshKey: "ssh" },
        { name: "no-key", becomeKey: "become" },
      ].map((inventory) => ({
        ...inventory,
        source: {
          case: "ini",
          value: `host ansible_host=127.0.0.1 ansible_port=${sshd.port}\n`,
        },
      })),
    },
  );
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await sshd?.[Symbol.asyncDispose]();
  user?.[Symbol.dispose]();
  if (gates) rmSync(gates, { recursive: true });
});
beforeEach((context) => {
  if (!hasAnsible) context.skip(NO_ANSIBLE);
  if (!hasSshd) context.skip(NO_SSHD);
  if (!canMakeSudoer) context.skip(NO_SUDOER);
});

/** A file with one variable, `from_<id>`, that a vault's password opens. */
function encrypted(id: string, password: string): string {
  const folder = mkdtempSync(join(tmpdir(), "signalman-vault-"));
  try {
    writeFileSync(join(folder, "password"), password);
    writeFileSync(join(folder, "vars.yml"), `from_${id}: "0123456789"\n`);
    const vault = `${id}@${join(folder, "password")}`;
    // Ansible refuses a locale that is not installed, as the tester's may be.
    const env = { PATH: process.env.PATH, HOME: folder, LC_ALL: "C.UTF-8" };
    execFileSync("ansible-vault", ["encrypt", "--vault-id", vault, join(folder, "vars.yml")], { env });
    return readFileSync(join(folder, "vars.yml"), "utf8");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Returns the secrets that a text contains, also in the form in which a table shows bytes. */
const secretsIn = (text: string) =>
  secrets.filter((secret) => text.includes(secret) || text.includes(Buffer.from(secret).toString("hex")));

/** Reads command line and environment of every process of the machine until the returned function is called. */
function watchProcesses() {
  const found = new Set<string>();
  let looks = 0;
  let isOver = false;
  const look = async () => {
    for (; !isOver; looks++, await setTimeout(5)) {
      for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name)))
        for (const file of ["cmdline", "environ"]) {
          const text = read(`/proc/${pid}/${file}`);
          for (const secret of secretsIn(text)) found.add(`${file} ${secret}: ${text.slice(0, 100)}`);
        }
    }
  };
  const ended = look();
  return async () => {
    isOver = true;
    await ended;
    return { found: [...found], looks };
  };
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // it has ended
  }
}

/** Returns every row of every table as text. */
async function dump(): Promise<string> {
  const sql = openSql(service);
  const tables = await sql`SELECT tablename FROM pg_tables WHERE schemaname = 'public'`;
  const rows = await Promise.all(
    tables.map(({ tablename }) => sql.unsafe(`SELECT t::text FROM "${tablename}" t`)),
  );
  await sql.end();
  return JSON.stringify(rows);
}

/** Returns the responses of every RPC about the task. */
async function answers(name: string): Promise<string> {
  const tasks = service.client(TaskService);
  const parent = "projects/demo";
  const all = await Promise.all([
    tasks.getTask({ name }),
    tasks.listTasks({ parent }),
    tasks.getTaskResult({ name }),
    tasks.readTaskLog({ name }),
    service.client(AccessKeyService).listAccessKeys({ parent }),
    service.client(AccessKeyService).getAccessKey({ name: `${parent}/accessKeys/ssh` }),
    service.client(EnvironmentService).listEnvironments({ parent }),
    service.client(InventoryService).listInventories({ parent }),
    service.client(TemplateService).listTemplates({ parent }),
    service.client(CatalogService).exportCatalog({ name: parent }),
  ]);
  return asText(all);
}

function asText(answers: unknown): string {
  const plain = (_: string, value: unknown) =>
    typeof value === "bigint"
      ? String(value)
      : value instanceof Uint8Array
        ? Buffer.from(value).toString()
        : value;
  return JSON.stringify(answers, plain);
}

/** Lists the files of the data folder by name. */
function filesWithSecrets(): string {
  const patterns = secrets.flatMap((secret) => ["-e", secret]);
  return spawnSync("grep", ["-rlaF", ...patterns, "--", service.dataDir], { encoding: "utf8" }).stdout;
}

const privateFolder = (name: string) =>
  join(service.dataDir, "tasks", name.split("/").at(-1) ?? "", "private");

/** Returns the files that were installed for a task, and the command lines of processes that work for it. */
function leftOf(name: string): string[] {
  const folder = privateFolder(name);
  const id = name.split("/").at(-1) ?? "";
  const processes = readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => {
      const line = read(`/proc/${pid}/cmdline`);
      return [id, folder, socketFolder(folder)].some(
        (mark) => line.includes(mark) || read(`/proc/${pid}/environ`).includes(mark),
      );
    })
    .map((pid) => read(`/proc/${pid}/cmdline`).replaceAll("\0", " "));
  return [...processes, ...[folder, socketFolder(folder)].filter((path) => existsSync(path))];
}

/** Starts a task that waits in its middle until `open` is called. */
async function startGated(name: string) {
  const gate = mkdtempSync(join(gates, `${name}-`));
  execFileSync("chmod", ["777", gate]);
  const started = new Promise<void>((resolve) => {
    const watcher = watch(gate, () => {
      if (!existsSync(join(gate, "started"))) return;
      watcher.close();
      resolve();
    });
  });
  const task = await runDemo(service, "site", {
    variables: { gate },
    secretVariables: { of_task: VARIABLES.of_task },
  });
  const ended = watchToEnd(service, task.name).catch(() => watchToEnd(service, task.name));
  await Promise.race([
    started,
    ended.then((events) => expect(endOf(events).end?.message).toBe("not yet ended")),
  ]);
  return { name: task.name, ended, open: () => writeFileSync(join(gate, "open"), "") };
}

describe("over SSH, with a passphrase, a become password and two vaults", () => {
  test("weakness 12: a playbook becomes root, and no secret is in a command line, environment, log, table or response", async () => {
    const stop = watchProcesses();
    const { name, ended, open } = await startGated("seen");
    const during = [await dump(), await answers(name)];
    open();
    const events = await ended;
    const { found, looks } = await stop();
    expect(endOf(events)).toMatchObject({ status: TaskStatus.SUCCESS });
    expect(found).toEqual([]);
    expect(looks).toBeGreaterThan(20);
    const told = await answers(name);
    expect(told).toContain("I am root, 10 10, *** ***");
    expect(secretsIn(told)).toEqual([]);
    expect(secretsIn(during.join("\n"))).toEqual([]);
    expect(secretsIn(asText(events))).toEqual([]);
    expect(secretsIn(await dump())).toEqual([]);
    expect((await resultOf(service, name))?.failures).toMatchObject([{ message: "with ***" }]);
    expect(secretsIn(service.log())).toEqual([]);
    await leavesNothing(service, { name });
    expect(filesWithSecrets()).toBe("");
  });

  test("installed files are removed before the end is reported, and no process is left", async () => {
    const { name, ended, open } = await startGated("left");
    expect(hasSockets(privateFolder(name))).toBe(true);
    open();
    await ended;
    expect(leftOf(name)).toEqual([]);
  });

  test("after kill -9 of the server and a restart the task goes on, and its keys are removed in the end", async () => {
    const { name, ended, open } = await startGated("killed");
    await service.kill("SIGKILL");
    await service.start();
    open();
    await ended.catch(() => {});
    const task = endOf(await watchToEnd(service, name));
    expect(task.status).toBe(TaskStatus.SUCCESS);
    expect(leftOf(name)).toEqual([]);
  });

  test("a password in place of the key leaves no trace either", async (context) => {
    if (!hasProgram("sshpass"))
      context.skip("there is no sshpass on this machine (tools/install-test-tools.sh)");
    const stop = watchProcesses();
    const { task, output } = await play(service, "site", {
      inventory: "projects/demo/inventories/login",
      secretVariables: { of_task: VARIABLES.of_task },
    });
    expect((await stop()).found).toEqual([]);
    expect(task.status).toBe(TaskStatus.SUCCESS);
    expect(output).toContain("I am root");
    expect(leftOf(task.name)).toEqual([]);
  });

  test.each([
    ["no password for become", "no-become", /password/i],
    ["no key", "no-key", /Permission denied/],
  ])("%s: there is no prompt, and the host fails with a reason", async (_, inventory, reason) => {
    const { task } = await play(service, "site", {
      inventory: `projects/demo/inventories/${inventory}`,
      secretVariables: { of_task: VARIABLES.of_task },
      runTimeout: { seconds: 60n },
    });
    expect(task.end?.reason).toBe(EndReason.EXIT_CODE);
    expect((await resultOf(service, task.name))?.failures[0]?.message).toMatch(reason);
  });

  test("a host whose key has changed is refused", async () => {
    const { port } = sshd;
    await sshd[Symbol.asyncDispose]();
    sshd = await startSshd({ authorized: [], port, config: SSHD_CONFIG });
    const { task } = await play(service, "site", { secretVariables: { of_task: "x" } });
    expect(task.end?.exitCode).toBe(4);
    const result = await resultOf(service, task.name);
    expect(result?.failures[0]?.message).toMatch(
      /HOST IDENTIFICATION HAS CHANGED|Host key verification failed/,
    );
  });
});
