import { toJsonString } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CatalogService } from "../../gen/signalman/v1/catalog_service_pb.ts";
import { RepositoryService } from "../../gen/signalman/v1/repository_pb.ts";
import { LogStream, TaskSchema } from "../../gen/signalman/v1/task_pb.ts";
import { endOf, follow } from "../faults/follow.ts";
import { makeRepository } from "../git/repository.ts";
import { makeScene } from "../git/scene.ts";
import { openSql } from "../rpc/support.ts";
import { runDemo } from "../support/demo.ts";
import { startGitHttp } from "../support/git-http.ts";
import { startService, type TestService } from "../support/service.ts";

const TOKEN = "glpat-0123456789";
const NAME = "projects/demo/repositories/app";

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service[Symbol.asyncDispose]());

async function apply(url: string, validateOnly = false) {
  return service.client(CatalogService).applyCatalog({
    catalog: {
      project: { name: "demo" },
      repositories: [{ name: "app", url }],
      templates: [{ name: "run", app: "bash", repository: "app", path: "run.sh" }],
    },
    validateOnly,
  });
}

const repositories = () => service.client(RepositoryService);
const refused = (call: () => Promise<unknown>) =>
  call().then(
    () => "",
    (error: unknown) => JSON.stringify([ConnectError.from(error).message, ConnectError.from(error).details]),
  );

test.each([
  `https://${TOKEN}@example.com/x.git`,
  `https://ci:${TOKEN}@example.com/x.git`,
  `http://${TOKEN}:@example.com/x.git`,
  `https://example.com/x.git?private_token=${TOKEN}`,
  `ssh://git:${TOKEN}@example.com/x.git`,
  `https://jane%40corp${TOKEN}@example.com/x.git`,
])("a write with a user in a URL is refused, and the error says where it belongs: %s", async (url) => {
  await apply("/tmp");
  const parent = "projects/demo";
  for (const call of [
    () => apply(url),
    () => apply(url, true),
    () => repositories().createRepository({ parent, repositoryId: "other", repository: { url } }),
    () => repositories().updateRepository({ repository: { name: NAME, url } }),
  ]) {
    const told = await refused(call);
    expect(told).toContain("logins and tokens belong in the access key that `access_key` names");
    expect(told).not.toContain(TOKEN);
  }
  expect(service.log()).not.toContain(TOKEN);
});

test("a stored URL with a user goes on working, masked everywhere, with a warning", async () => {
  using repo = makeRepository();
  using scene = makeScene();
  repo.commit("run.sh", "git remote -v");
  scene.publish(repo, "app.git");
  await using server = await startGitHttp({ root: scene.served });
  await apply(`${server.url}/app.git`);
  const url = `${server.url.replace("//", `//${TOKEN}@`)}/app.git`;
  const sql = openSql(service);
  await sql`UPDATE repositories SET spec = jsonb_set(spec, '{url}', to_jsonb(${url}::text)) WHERE name = 'app'`;
  await sql.end();

  const { name } = await runDemo(service, "run");
  await using watcher = follow(service, name);
  const task = await watcher.ended;
  expect(endOf(task).status).toBe("SUCCESS");
  expect(watcher.text(LogStream.SYSTEM)).toMatch(/The URL http:\/\/\*\*\*@127\S* contains a user/);
  const { repository } = await repositories().getRepository({ name: NAME });
  expect(repository?.url).toBe(url.replace(TOKEN, "***"));

  repo.git("rm", "--quiet", "run.sh");
  repo.git("commit", "--quiet", "--message", "Remove");
  scene.publish(repo, "app.git");
  const failing = await runDemo(service, "run");
  await using second = follow(service, failing.name);
  const failed = await second.ended;
  expect(failed.end?.message).toMatch(/there is no such file in projects\/demo\/repositories\/app \(http/);

  const listed = await repositories().listRepositories({ parent: "projects/demo" });
  const { catalog } = await service.client(CatalogService).exportCatalog({ name: "projects/demo" });
  const dry = await apply("/tmp", true);
  const told = [
    watcher.text(),
    watcher.text(LogStream.SYSTEM),
    second.text(LogStream.SYSTEM),
    toJsonString(TaskSchema, failed),
    service.log(),
    ...listed.repositories.map((one) => one.url),
    ...(catalog?.repositories ?? []).map((one) => one.url),
    ...dry.changes.flatMap(({ differences }) => differences.map(({ before }) => before)),
  ];
  for (const text of told) expect(text).not.toContain(TOKEN);
  expect(dry.changes.flatMap(({ differences }) => differences.map(({ before }) => before))).toContain(
    JSON.stringify(url.replace(TOKEN, "***")),
  );
});
