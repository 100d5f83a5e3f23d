import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CatalogService } from "../../gen/signalman/v1/catalog_service_pb.ts";
import { LogStream } from "../../gen/signalman/v1/task_pb.ts";
import { endOf, follow } from "../faults/follow.ts";
import { leavesNothing } from "../faults/traces.ts";
import { makeRepository } from "../git/repository.ts";
import { makeScene } from "../git/scene.ts";
import { runDemo } from "../support/demo.ts";
import { startGitHttp } from "../support/git-http.ts";
import { startService, type TestService } from "../support/service.ts";

const LOGIN = { login: "ci", password: "pass-w0rd-of-git" };

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service[Symbol.asyncDispose]());

test("a script fetches with the key of the repository if its template allows it, and knows its branch", async () => {
  using repo = makeRepository();
  using scene = makeScene();
  repo.commit("run.sh", 'git fetch -q origin main && echo fetched; echo "$SEMAPHORE_TASK_DETAILS_BRANCH"');
  scene.publish(repo, "app.git");
  await using server = await startGitHttp({ root: scene.served, login: LOGIN });
  const template = { app: "bash", repository: "app", path: "run.sh" };
  await service.client(CatalogService).applyCatalog({
    catalog: {
      project: { name: "demo" },
      accessKeys: [{ name: "key", kind: { case: "loginPassword", value: LOGIN } }],
      repositories: [{ name: "app", url: `${server.url}/app.git`, accessKey: "key" }],
      templates: [
        { ...template, name: "with", gitAccess: true, gitBranch: "main" },
        { ...template, name: "without" },
      ],
    },
  });
  for (const [name, said] of [
    ["with", "fetched\nmain\n"],
    ["without", "\n"],
  ] as const) {
    const { name: task } = await runDemo(service, name);
    await using watcher = follow(service, task);
    const ended = await watcher.ended;
    expect([endOf(ended).status, watcher.text(LogStream.STDOUT)]).toEqual(["SUCCESS", said]);
    expect(watcher.text()).not.toContain(LOGIN.password);
    await leavesNothing(service, ended);
  }
  expect(readdirSync(join(service.dataDir, "tasks"))).toEqual([]);
});

test("other apps have no gitAccess", async () => {
  const apply = service.client(CatalogService).applyCatalog({
    catalog: {
      project: { name: "other" },
      repositories: [{ name: "app", url: "/tmp" }],
      templates: [{ name: "t", app: "terraform", repository: "app", path: ".", gitAccess: true }],
    },
  });
  await expect(apply).rejects.toThrow(/git_access: Not for app "terraform"/);
});
