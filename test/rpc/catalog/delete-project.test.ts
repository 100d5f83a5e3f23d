import type postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TaskService } from "../../../gen/signalman/v1/task_service_pb.ts";
import { applyDemo, runDemo } from "../../support/demo.ts";
import { startService, type TestService } from "../../support/service.ts";
import { watch } from "../../watch/events.ts";
import { openSql, refusal } from "../support.ts";
import { applier, full } from "./catalogs.ts";
import { standard } from "./kinds.ts";

let service: TestService;
let sql: postgres.Sql;
beforeAll(async () => {
  service = await startService();
  sql = openSql(service);
});
afterAll(async () => {
  await sql.end();
  await service[Symbol.asyncDispose]();
});

describe("a project", () => {
  const projects = () => standard(service, "projects");
  const IN_USE = { code: "FailedPrecondition", reason: "RESOURCE_IN_USE", fields: [] };
  const name = "projects/doomed";
  const left = async () => {
    const [row] = await sql`
      SELECT (SELECT count(*) FROM log_chunks)::int AS chunks, (SELECT count(*) FROM task_heads)::int AS heads,
             (SELECT count(*) FROM tasks)::int AS tasks`;
    return row;
  };

  test("is deleted only when it is empty, or by force with its resources, its ended tasks and their logs", async () => {
    await applyDemo(service, { quick: "echo done", slow: "sleep 600" });
    const other = await runDemo(service, "quick");
    await watch(service, { name: other.name }).done;
    const kept = await left();

    await applier(service).apply({
      ...full("doomed"),
      repositories: [{ name: "scripts", url: `${service.dataDir}/demo-scripts` }],
    });
    const templates = standard(service, "templates");
    await templates.create(name, "quick", { app: "sh", repository: "scripts", path: "quick" });
    await templates.create(name, "slow", { app: "sh", repository: "scripts", path: "slow" });
    await expect(projects().delete(name)).rejects.toThrow(/doomed\/accessKeys\/token belongs to it/);
    expect(await refusal(projects().delete(name))).toEqual(IN_USE);

    const client = service.client(TaskService);
    const { task: quick } = await client.runTask({ template: `${name}/templates/quick` });
    await watch(service, { name: quick?.name }).done;
    const { task: slow } = await client.runTask({ template: `${name}/templates/slow` });
    await expect(projects().delete(name, { force: true })).rejects.toThrow(`${slow?.name} has not ended`);
    expect(await refusal(templates.delete(`${name}/templates/slow`))).toEqual(IN_USE);
    const end = watch(service, { name: slow?.name });
    await client.killTask({ name: slow?.name, force: true });
    await end.done;
    await applier(service).apply({ project: { name: "doomed" } }, { prune: true });
    await expect(projects().delete(name)).rejects.toThrow(/projects\/doomed\/tasks\/\S+ belongs to it/);
    await applier(service).apply(full("doomed"));
    await projects().delete(name, { force: true });
    expect(await refusal(projects().get(name))).toMatchObject({ code: "NotFound" });
    expect(await refusal(client.getTask({ name: quick?.name }))).toMatchObject({ code: "NotFound" });
    expect(await left()).toEqual(kept);
    await projects().create("", "doomed", {});
    await projects().delete(name);
  });
});
