import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type MessageInitShape, toJsonString } from "@bufbuild/protobuf";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type CatalogSchema, CatalogService } from "../../gen/signalman/v1/catalog_service_pb.ts";
import { LogStream, TaskSchema } from "../../gen/signalman/v1/task_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { endOf, follow } from "../faults/follow.ts";
import { leavesNothing } from "../faults/traces.ts";
import { makeRepository, type Repository } from "../git/repository.ts";
import { makeScene } from "../git/scene.ts";
import { OPEN_TO_CALLERS, runDemo } from "../support/demo.ts";
import { type GitHttp, type GitHttpOptions, startGitHttp } from "../support/git-http.ts";
import { startService, type TestService } from "../support/service.ts";
import { hasSshd, makeSshKey, NO_SSHD, startSshd } from "../support/sshd.ts";

const LOGIN = { login: "ci", password: "pass-w0rd-of-git/+%" };

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service[Symbol.asyncDispose]());

let stack: AsyncDisposableStack;
let repo: Repository;
let scene: ReturnType<typeof makeScene>;
beforeEach(() => {
  stack = new AsyncDisposableStack();
  repo = stack.use(makeRepository());
  scene = stack.use(makeScene());
});
afterEach(() => stack.disposeAsync());

type Catalog = MessageInitShape<typeof CatalogSchema>;

/** Applies a project with a template that runs `run.sh` of a repository, with an access key. */
async function apply(url: string, accessKey?: NonNullable<Catalog["accessKeys"]>[number]): Promise<void> {
  await service.client(CatalogService).applyCatalog({
    catalog: {
      project: { name: "demo" },
      accessKeys: accessKey ? [{ name: "key", ...accessKey }] : [],
      repositories: [{ name: "app", url, accessKey: accessKey ? "key" : "" }],
      templates: [
        {
          name: "run",
          ...OPEN_TO_CALLERS,
          app: "bash",
          repository: "app",
          path: "run.sh",
          allowParallelTasks: true,
          allowOverrideGitBranch: true,
        },
      ],
    },
    prune: true,
  });
}

const withPassword = { kind: { case: "loginPassword", value: LOGIN } } as const;

async function serve(options: Omit<GitHttpOptions, "root"> = {}): Promise<GitHttp & { app: string }> {
  scene.publish(repo, "app.git");
  const server = stack.use(await startGitHttp({ root: scene.served, login: LOGIN, ...options }));
  return { ...server, app: `${server.url}/app.git` };
}

/** Starts the template and watches the task. */
async function start(at: { gitBranch?: string; commit?: string } = {}) {
  const { name } = await runDemo(service, "run", at);
  return { name, watcher: stack.use(follow(service, name)) };
}

test("two concurrent tasks of a template with different branches run their own, and store their commit", async () => {
  repo.git("checkout", "--quiet", "-b", "one");
  const one = repo.commit("run.sh", "cat run.sh; ls; git rev-parse HEAD", "Be one");
  repo.git("checkout", "--quiet", "-b", "two");
  repo.commit("only-two", "");
  const two = repo.commit("run.sh", "echo two; ls", "Be two");
  const server = await serve();
  await apply(server.app, withPassword);
  const tasks = await Promise.all([start({ gitBranch: "one" }), start({ gitBranch: "two" })]);
  const ended = await Promise.all(tasks.map(({ watcher }) => watcher.ended));
  expect(ended.map(({ commitHash, commitMessage }) => [commitHash, commitMessage])).toEqual([
    [one, "Be one"],
    [two, "Be two"],
  ]);
  expect(tasks[0]?.watcher.text()).toBe(`cat run.sh; ls; git rev-parse HEADrun.sh\n${one}\n`);
  expect(tasks[1]?.watcher.text()).toBe("two\nonly-two\nrun.sh\n");
  expect(readdirSync(join(service.dataDir, "mirrors"))).toHaveLength(1);
});

test("the commit is stored before the program runs", async () => {
  const hash = repo.commit("run.sh", "echo ready; sleep 600");
  const server = await serve();
  await apply(server.app, withPassword);
  const { name, watcher } = await start();
  await watcher.says("ready");
  const { task } = await service.client(TaskService).getTask({ name });
  expect(task).toMatchObject({ commitHash: hash, commitMessage: "Write run.sh" });
  await service.client(TaskService).killTask({ name, force: true });
  await watcher.ended;
});

describe("secrets", () => {
  /** Returns the processes whose command line or environment contains a text. */
  function shownBy(text: string): string[] {
    return readdirSync("/proc")
      .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
      .flatMap((pid) => [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`])
      .filter((path) => {
        try {
          return readFileSync(path, "latin1").includes(text);
        } catch {
          return false; // gone
        }
      });
  }

  test("are in no command line, environment, log or response, neither during a fetch nor after", async () => {
    repo.commit("run.sh", "git remote -v; env; cat .git/config");
    const server = await serve({ fate: (path) => (path.includes("info/refs") ? "answer" : "hold") });
    await apply(server.app, withPassword);
    const { name, watcher } = await start();
    await server.held;
    expect(server.logins).toContain(LOGIN.login);
    expect(shownBy(LOGIN.password)).toEqual([]);
    await service.client(TaskService).killTask({ name, force: true });
    await watcher.ended;
    const open = await serve();
    await apply(open.app, withPassword);
    const next = await start();
    const task = await next.watcher.ended;
    expect(endOf(task).status).toBe("SUCCESS");
    const told = [
      next.watcher.text(),
      next.watcher.text(LogStream.SYSTEM),
      service.log(),
      toJsonString(TaskSchema, task),
    ];
    for (const text of told) expect(text).not.toContain("w0rd");
    expect(next.watcher.text()).not.toMatch(/SIGNALMAN_GIT|SSH_AUTH|••|\*\*\*/);
    await leavesNothing(service, task);
  });

  test("that are wrong end the task with a reason that does not contain them", async () => {
    repo.commit("run.sh", "");
    const server = await serve({ login: { ...LOGIN, password: "another" } });
    await apply(server.app, withPassword);
    const { watcher } = await start();
    const task = await watcher.ended;
    expect(endOf(task)).toMatchObject({ status: "ERROR", reason: "PREPARE_FAILED" });
    expect(task.end?.message).toMatch(/requires a login and password, and refused those of the access key/);
    expect(task.end?.message).not.toContain("w0rd");
    expect(watcher.text(LogStream.SYSTEM)).toContain(task.end?.message);
  });

  test("a remote that asks for a password ends the task if there is none", async () => {
    repo.commit("run.sh", "");
    const server = await serve();
    await apply(server.app);
    const task = await (await start()).watcher.ended;
    expect(endOf(task)).toMatchObject({ status: "ERROR", reason: "PREPARE_FAILED" });
    expect(task.end?.message).toMatch(/requires a login and password/);
  });
});

test("an SSH key with a passphrase opens a repository, and is removed before the program runs", async (context) => {
  if (!hasSshd) return context.skip(NO_SSHD);
  const key = makeSshKey("of the key");
  const sshd = stack.use(await startSshd({ authorized: [key.publicKey] }));
  repo.commit("run.sh", "ssh-add -l || echo no agent; ls ../private");
  scene.publish(repo, "app.git");
  const ssh = { login: sshd.user, privateKey: key.privateKey, passphrase: "of the key" };
  await apply(`ssh://127.0.0.1:${sshd.port}${scene.served}/app.git`, { kind: { case: "ssh", value: ssh } });
  const { watcher } = await start();
  const task = await watcher.ended;
  expect(task.end?.message).toBe("");
  expect(watcher.text()).toBe("no agent\n");
  expect(readFileSync(join(service.dataDir, "known_hosts"), "utf8")).toContain(`[127.0.0.1]:${sshd.port} `);
  await leavesNothing(service, task);
});

describe("a task during a fetch", () => {
  const isHalf = (path: string) => !path.includes("info/refs");

  test.each([{}, { force: true }])(
    "weakness 2: that is killed %j ends within its grace period and leaves nothing",
    async (how) => {
      repo.commit("run.sh", "echo ran");
      let isSlow = true;
      const server = await serve({ fate: (path) => (isSlow && isHalf(path) ? "drip" : "answer") });
      await apply(server.app, withPassword);
      const { name, watcher } = await start();
      await server.held;
      await service.client(TaskService).killTask({ name, ...how });
      const task = await watcher.ended;
      expect(endOf(task)).toMatchObject({ status: "STOPPED", reason: "STOPPED_BY_USER" });
      await leavesNothing(service, task);
      isSlow = false;
      expect(endOf(await (await start()).watcher.ended).status).toBe("SUCCESS");
    },
  );

  test("whose server is killed runs on the next server, with nothing left of the first fetch", async () => {
    repo.commit("run.sh", "echo ran");
    let isSlow = true;
    const server = await serve({ fate: (path) => (isSlow && isHalf(path) ? "drip" : "answer") });
    await apply(server.app, withPassword);
    const { watcher } = await start();
    await server.held;
    await service.kill("SIGKILL");
    isSlow = false;
    await service.start();
    const task = await watcher.ended;
    expect(endOf(task).status).toBe("SUCCESS");
    expect(watcher.text()).toBe("ran\n");
    await leavesNothing(service, task);
    expect(readdirSync(join(service.dataDir, "mirrors")).filter((name) => name.endsWith(".new"))).toEqual([]);
  });
});
