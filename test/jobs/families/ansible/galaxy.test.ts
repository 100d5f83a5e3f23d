import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { CatalogService } from "../../../../gen/signalman/v1/catalog_service_pb.ts";
import { EndReason, TaskStatus } from "../../../../gen/signalman/v1/task_pb.ts";
import { TaskService } from "../../../../gen/signalman/v1/task_service_pb.ts";
import { leavesNothing } from "../../../faults/traces.ts";
import { makeRepository } from "../../../git/repository.ts";
import { hasAnsible, NO_ANSIBLE } from "../../../support/ansible.ts";
import { endOf, runDemo, watchToEnd } from "../../../support/demo.ts";
import { type GitHttp, startGitHttp } from "../../../support/git-http.ts";
import { startService, type TestService } from "../../../support/service.ts";
import { LOCAL, play } from "./scene.ts";

const login = { login: "robot", password: "s-galaxy-password" };
const playbook = "- hosts: all\n  gather_facts: false\n  roles: [greet]\n";

let service: TestService;
let root: string;
let git: GitHttp;
let isSlow = false;

beforeAll(async () => {
  if (!hasAnsible) return;
  root = mkdtempSync(join(tmpdir(), "signalman-galaxy-"));
  git = await startGitHttp({
    root,
    login,
    fate: (path) => (isSlow && path.startsWith("/slow") ? "hold" : "answer"),
  });
  serve("role.git", {
    "tasks/main.yml": '- debug: msg="greetings from the role"\n',
    "meta/main.yml": "galaxy_info: {}\n",
  });
  const requirements = (name: string) =>
    `roles:\n  - name: greet\n    src: ${git.url}/${name}\n    scm: git\n`;
  serve("play.git", {
    "site.yml": playbook,
    "galaxy.cfg": "[galaxy]\n",
    "roles/requirements.yml": requirements("role.git"),
  });
  serve("other-play.git", {
    "site.yml": playbook,
    "roles/requirements.yml": `${requirements("role.git")}# other\n`,
  });
  serve("slow-play.git", { "site.yml": playbook, "requirements.yml": requirements("slow.git") });
  serve("wrong-play.git", { "site.yml": playbook, "requirements.yml": requirements("no-such.git") });
  service = await startService();
  const repository = (name: string) => ({ name, url: `${git.url}/${name}.git`, accessKey: "robot" });
  serve("branch-play.git", {
    "site.yml": playbook,
    "requirements.yml": `roles:\n  - { name: greet, src: "git+${git.url}/moving.git", version: main }\n`,
  });
  const names = ["play", "other-play", "slow-play", "wrong-play", "branch-play"];
  await service.client(CatalogService).applyCatalog({
    catalog: {
      project: { name: "demo" },
      accessKeys: [{ name: "robot", kind: { case: "loginPassword", value: login } }],
      repositories: names.map(repository),
      inventories: [{ name: "here", source: { case: "ini", value: LOCAL } }],
      templates: [
        ...names.map((name) => ({ name, repository: name })),
        { name: "other-config", repository: "play", env: { ANSIBLE_CONFIG: "galaxy.cfg" } },
      ].map((template) => ({
        ...template,
        app: "ansible",
        path: "site.yml",
        inventory: "here",
        allowParallelTasks: true,
      })),
    },
  });
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await git?.[Symbol.asyncDispose]();
  if (root) rmSync(root, { recursive: true });
});
beforeEach((context) => void (hasAnsible || context.skip(NO_ANSIBLE)));

/** Serves a bare repository with these files by HTTP. */
function serve(name: string, files: Record<string, string>): void {
  using made = makeRepository();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(made.path, path)), { recursive: true });
    made.commit(path, text);
  }
  cpSync(join(made.path, ".git"), join(root, name), { recursive: true });
  execFileSync("git", ["config", "core.bare", "true"], { cwd: join(root, name) });
}

/** Pushes a new version of the role, which prints these words, to the branch of a served repository. */
function pushRole(name: string, words: string): void {
  rmSync(join(root, name), { recursive: true, force: true });
  serve(name, { "tasks/main.yml": `- debug: msg="${words}"\n`, "meta/main.yml": "galaxy_info: {}\n" });
}

const cached = () =>
  existsSync(join(service.dataDir, "galaxy")) ? readdirSync(join(service.dataDir, "galaxy")) : [];
const fetches = () => git.requests.filter((path) => path.startsWith("/role.git")).length;

test("roles come from a private repository with the task's own key, once for all tasks with the same requirements", async () => {
  const first = await play(service, "play");
  expect(first.said).toContain("Installing the roles of roles/requirements.yml");
  expect(first.output).toContain("greetings from the role");
  expect(first.task.status).toBe(TaskStatus.SUCCESS);
  expect(JSON.stringify(first.events, (_, v) => (typeof v === "bigint" ? String(v) : v))).not.toContain(
    login.password,
  );
  const before = fetches();
  expect(before).toBeGreaterThan(0);
  expect(cached()).toHaveLength(1);
  const second = await play(service, "play");
  expect(second.output).toContain("greetings from the role");
  expect(fetches()).toBe(before);
});

test("cache entries unused for a month are removed when a new one is stored; used entries stay", async () => {
  const cache = join(service.dataDir, "galaxy");
  const old = new Date(Date.now() - 31 * 24 * 3_600_000);
  mkdirSync(join(cache, "unused"));
  utimesSync(join(cache, "unused"), old, old);
  const [used = ""] = cached().filter((name) => name !== "unused");
  utimesSync(join(cache, used), old, old);
  await play(service, "play");
  expect(cached().sort()).toEqual([used, "unused"].sort());
  await play(service, "other-play");
  expect(cached()).toHaveLength(2);
  expect(cached()).toContain(used);
});

test("a failed fetch is explained in Galaxy's words, and nothing incomplete is cached", async () => {
  const before = cached();
  const { task } = await play(service, "wrong-play");
  expect(task.end).toMatchObject({
    reason: EndReason.PREPARE_FAILED,
    message: expect.stringMatching(
      /^Cannot install the roles of requirements.yml: ansible-galaxy said: .*you can use --ignore-errors/s,
    ),
  });
  expect(cached()).toEqual(before);
});

test("a kill while Galaxy waits for a slow server ends it within the grace period and leaves no process or file", async () => {
  isSlow = true;
  const before = cached();
  const { name } = await runDemo(service, "slow-play");
  await git.held;
  const killed = performance.now();
  await service.client(TaskService).killTask({ name });
  const task = endOf(await watchToEnd(service, name));
  expect(performance.now() - killed).toBeLessThan(15_000);
  expect(task.status).toBe(TaskStatus.STOPPED);
  const id = name.split("/").at(-1) ?? "";
  const left = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && environ(pid).includes(id));
  expect(left).toEqual([]);
  await leavesNothing(service, { name });
  expect(cached()).toEqual(before);
});

function environ(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch {
    return "";
  }
}

test("tasks with another ansible.cfg, which may name other Galaxy servers, have a cache entry of their own", async () => {
  await play(service, "play");
  const before = cached().length;
  const { task, said } = await play(service, "other-config");
  expect(task.status).toBe(TaskStatus.SUCCESS);
  expect(said).toContain("Installing the roles");
  expect(cached()).toHaveLength(before + 1);
});

test("a role from a branch is fetched again when the branch has moved, and only then", async () => {
  pushRole("moving.git", "the first words");
  const before = cached().length;
  expect((await play(service, "branch-play")).output).toContain("the first words");
  const again = await play(service, "branch-play");
  expect(again.output).toContain("the first words");
  expect(again.said).not.toContain("Installing the roles");
  expect(cached()).toHaveLength(before + 1);
  pushRole("moving.git", "the second words");
  expect((await play(service, "branch-play")).output).toContain("the second words");
  // A server that does not answer: an old cache entry must not be used for the branch.
  rmSync(join(root, "moving.git"), { recursive: true });
  const { task } = await play(service, "branch-play");
  expect(task.end).toMatchObject({
    reason: EndReason.PREPARE_FAILED,
    message: expect.stringContaining("Cannot install the roles of requirements.yml"),
  });
});

test("refresh_requirements fetches all requirements again, and entries that other tasks may use stay", async () => {
  await play(service, "play");
  const before = cached();
  const refresh = { params: { case: "ansible", value: { refreshRequirements: true } } } as const;
  const { task, said } = await play(service, "play", refresh);
  expect(task.status).toBe(TaskStatus.SUCCESS);
  expect(said).toContain("Installing the roles");
  expect(cached()).toHaveLength(before.length + 1);
  expect(cached()).toEqual(expect.arrayContaining(before));
  const count = fetches();
  await play(service, "play");
  expect(fetches()).toBe(count);
});
