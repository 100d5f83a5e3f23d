import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CatalogService } from "../../gen/signalman/v1/catalog_service_pb.ts";
import { HookEvent } from "../../gen/signalman/v1/hook_pb.ts";
import { LogStream, TaskStatus } from "../../gen/signalman/v1/task_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { follow } from "../faults/follow.ts";
import { needsTerraform } from "../jobs/families/terraform/project.ts";
import { testRoot } from "../process/isolation/chains.ts";
import { hasAnsible, NO_ANSIBLE } from "../support/ansible.ts";
import { endOf, runDemo, watchToEnd } from "../support/demo.ts";
import { type GitHttp, startGitHttp } from "../support/git-http.ts";
import type { TestService } from "../support/service.ts";
import { hasSshd, makeSshKey, NO_SSHD, type Sshd, startSshd } from "../support/sshd.ts";
import { textsOf } from "../watch/events.ts";
import { idOf, obstacle, RUNNER, startWithUsers } from "./users.ts";

/*
 * Each kind of work that is done for a task, once, by a server that runs as root, for a task that runs as another user.
 */

afterAll(() => testRoot.remove());

const LOGIN = { login: "robot", password: "s-git-password" };
const VAULT = "s-vault-password";
const WHO = 'echo "script by $(id -u)"; [ ! -e secret-of-root ] || echo "root has read it"; ls -A';

const material = join(testRoot.path, "material");
const at = (...path: string[]) => join(material, ...path);
const key = hasSshd ? makeSshKey("s-passphrase") : { privateKey: "", publicKey: "" };
let git: GitHttp;
let sshd: Sshd | undefined;

beforeAll(async () => {
  if (obstacle) return;
  sshd = hasSshd ? await startSshd({ authorized: [key.publicKey] }) : undefined;
  mkdirSync(at("served"), { recursive: true });
  git = await startGitHttp({ root: at("served"), login: LOGIN });
  write("folder", { run: WHO, "in/deep": "", ".hidden": "" });
  execFileSync("mkfifo", [at("folder", "pipe")]);
  chmodSync(at("folder", "in"), 0o755);
  write("closed", { run: WHO, "secret-of-root": "x" });
  chmodSync(at("closed", "secret-of-root"), 0o600);
  publish("app", { run: WHO });
  publish("role", {
    "tasks/main.yml": "- debug: msg=role-from-galaxy\n",
    "meta/main.yml": "galaxy_info: {}\n",
  });
  publish("play", {
    "site.yml": `
- hosts: all
  gather_facts: false
  roles: [greet]
  tasks:
    - command: id -u
      register: there
    - command: id -u
      delegate_to: localhost
      register: here
    - debug: msg="there {{ there.stdout }} here {{ here.stdout }} vault {{ opened }}"
`,
    "requirements.yml": `roles: [{ name: greet, src: "${git.url}/role.git", scm: git }]\n`,
    "group_vars/all.yml": hasAnsible ? encrypt("opened: by-the-vault\n") : "",
  });
  write("cloud", {
    "main.tf": `
terraform {
  backend "local" {}
}
resource "terraform_data" "who" {
  provisioner "local-exec" {
    command = "echo applied by $(id -u)"
  }
}
`,
  });
});
afterAll(async () => {
  await git?.[Symbol.asyncDispose]();
  await sshd?.[Symbol.asyncDispose]();
});

function write(folder: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(at(folder, path)), { recursive: true });
    writeFileSync(at(folder, path), text);
  }
}

/** Makes a repository with these files, and a bare one that is served. */
function publish(name: string, files: Record<string, string>): void {
  write(name, files);
  const run = (...args: string[]) => execFileSync("git", args, { cwd: at(name), stdio: "ignore" });
  run("init", "-q", "-b", "main");
  run("add", ".");
  run("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "first");
  run("clone", "-q", "--bare", ".", at("served", `${name}.git`));
}

function encrypt(text: string): string {
  write(".", { plain: text, password: VAULT });
  const args = ["encrypt", "--vault-password-file", at("password"), "--output", "-", at("plain")];
  return execFileSync("ansible-vault", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
}

describe.skipIf(obstacle).each(["none", "namespaces"] as const)(
  "As another user, isolation %s,",
  (isolation) => {
    let service: TestService;
    beforeAll(async () => {
      service = await startWithUsers(isolation, { SIGNALMAN_SSH_HOST_KEYS: "accept-new" });
      const ssh = `ssh://root@127.0.0.1:${sshd?.port ?? 22}${at("served")}`;
      await service.client(CatalogService).applyCatalog({
        catalog: {
          project: { name: "demo" },
          accessKeys: [
            { name: "http", kind: { case: "loginPassword", value: LOGIN } },
            {
              name: "ssh",
              kind: { case: "ssh", value: { ...key, login: "root", passphrase: "s-passphrase" } },
            },
            { name: "vault", kind: { case: "text", value: { value: VAULT } } },
          ],
          repositories: [
            ...["folder", "closed", "cloud", "app"].map((name) => ({ name, url: at(name) })),
            { name: "over-http", url: `${git.url}/app.git`, accessKey: "http" },
            { name: "over-ssh", url: `${ssh}/app.git`, accessKey: "ssh" },
            { name: "play", url: `${git.url}/play.git`, accessKey: "http" },
          ],
          inventories: [
            {
              name: "far",
              source: {
                case: "ini",
                value: `far ansible_host=127.0.0.1 ansible_port=${sshd?.port} ansible_python_interpreter=/usr/bin/python3\n`,
              },
              sshKey: "ssh",
            },
          ],
          templates: [
            ...["folder", "closed", "app", "over-http", "over-ssh"].map((name) => ({
              name,
              repository: name,
              app: "bash",
              path: "run",
              hooks: [HookEvent.BEFORE_TASK, HookEvent.AFTER_TASK].map((event) => ({
                name: `hook-${event}`,
                event,
                kind: { case: "program" as const, value: { app: "bash", script: 'echo "hook by $(id -u)"' } },
              })),
            })),
            {
              name: "play",
              repository: "play",
              app: "ansible",
              path: "site.yml",
              inventory: "far",
              vaults: [{ name: "v", source: { case: "key" as const, value: "vault" } }],
            },
            {
              name: "cloud",
              repository: "cloud",
              app: "terraform",
              path: ".",
              settings: { case: "terraform" as const, value: {} },
            },
          ],
        },
      });
    });
    afterAll(async () => {
      await service?.[Symbol.asyncDispose]();
    });
    const uid = idOf(RUNNER);

    async function run(template: string) {
      const { name } = await runDemo(service, template);
      const events = await watchToEnd(service, name);
      const lines = textsOf(events).map((line) => stripVTControlCharacters(line.replace(/^\d+:/, "")));
      return { name, lines, status: endOf(events).status, message: endOf(events).end?.message };
    }

    test.for([
      ["folder", "a folder, without its pipe", [".hidden", "in", "run"]],
      ["app", "a repository of this machine", [".git", "run"]],
      ["over-http", "a remote over HTTP, with a password", [".git", "run"]],
      ["over-ssh", "a remote over SSH, with a key", [".git", "run"]],
    ] as const)("a script and its hooks run from %s: %s", async ([name, _, names], context) => {
      if (name === "over-ssh" && !hasSshd) context.skip(NO_SSHD);
      const { lines, status } = await run(name);
      expect(status).toBe(TaskStatus.SUCCESS);
      expect(lines.filter((line) => line.includes(" by "))).toEqual([
        `hook-1: hook by ${uid}`,
        `script by ${uid}`,
        `hook-2: hook by ${uid}`,
      ]);
      expect(lines).toEqual(expect.arrayContaining([...names]));
      expect(lines).not.toContain("pipe");
    });

    test("a folder that the user may not read is not copied by root", async () => {
      const { lines, message } = await run("closed");
      expect(message).toMatch(
        /as the user nobody, who must be able to read it: .*secret-of-root.*Permission/,
      );
      expect(lines).not.toContain(`script by ${uid}`);
    });

    test("mirrors, cached roles and known hosts belong to the user, in folders of root", async (context) => {
      if (!hasSshd) context.skip(NO_SSHD);
      // Of the task before.
      const folder = join(service.dataDir, "users", uid);
      const [mirror = ""] = readdirSync(join(folder, "mirrors"));
      const modes = [
        folder,
        join(folder, "mirrors"),
        join(folder, "mirrors", mirror),
        join(folder, "known_hosts"),
      ]
        .map((path) => statSync(path))
        .map((found) => `${found.uid} ${(found.mode & 0o777).toString(8)}`);
      expect(modes).toEqual(["0 711", "0 711", `${uid} 700`, `${uid} 600`]);
      expect(readFileSync(join(folder, "known_hosts"), "utf8")).toContain(`127.0.0.1]:${sshd?.port}`);
    });

    test("a playbook reaches a host with a key, opens a vault, and uses a role from Galaxy", async (context) => {
      if (!hasAnsible) context.skip(NO_ANSIBLE);
      if (!hasSshd) context.skip(NO_SSHD);
      for (const round of isolation === "none" ? ["fetched"] : ["fetched", "cached"]) {
        const { name, lines, status } = await run("play");
        expect(status, lines.join("\n")).toBe(TaskStatus.SUCCESS);
        const text = lines.join("\n");
        expect(text).toContain(`there 0 here ${uid} vault by-the-vault`);
        expect(text).toContain("role-from-galaxy");
        expect(text.includes("Installing the roles")).toBe(round === "fetched");
        const { result } = await service.client(TaskService).getTaskResult({ name });
        expect(result?.app.value).toMatchObject({ hosts: [{ host: "far", ok: 4 }] });
      }
    });

    test("a plan waits, is confirmed, and is applied", async (context) => {
      needsTerraform(context);
      const { name } = await runDemo(service, "cloud");
      using watched = follow(service, name);
      await watched.reaches("WAITING_CONFIRMATION");
      const { task } = await service.client(TaskService).getTask({ name });
      await service.client(TaskService).confirmTask({ name, planDigest: task?.plan?.digest ?? "" });
      expect((await watched.ended).status, watched.text(LogStream.SYSTEM)).toBe(TaskStatus.SUCCESS);
      expect(watched.text()).toContain(`applied by ${uid}`);
      const { result } = await service.client(TaskService).getTaskResult({ name });
      expect(result?.app.value).toMatchObject({ added: 1, applied: true });
    });

    test("nothing is left of tasks that have ended", async () => {
      await expect.poll(() => readdirSync(join(service.dataDir, "tasks"))).toEqual([]);
    });
  },
);
