import { existsSync, readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import postgres from "postgres";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { LogStream } from "../../../../gen/signalman/v1/task_pb.ts";
import { TaskService } from "../../../../gen/signalman/v1/task_service_pb.ts";
import { socketOptions } from "../../../../src/embedded/socket-url.ts";
import { endOf, follow } from "../../../faults/follow.ts";
import { leavesNothing, taskFolder, until } from "../../../faults/traces.ts";
import { startService, type TestService } from "../../../support/service.ts";
import { makeProject, needsTerraform } from "./project.ts";

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service?.[Symbol.asyncDispose]());
beforeEach(needsTerraform);

const VALUE = "s3cr3t-of-the-plan";

/** Returns the processes whose command line or environment shows the secret. */
function shown(): string[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .flatMap((pid) => [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`])
    .filter((path) => {
      try {
        return readFileSync(path, "latin1").includes(VALUE);
      } catch {
        return false; // gone
      }
    });
}

/** Returns every row of every table as text; logs and texts of plans are compressed, and are read by RPCs instead. */
async function dump(): Promise<string> {
  const sql = postgres(service.databaseUrl, { ...socketOptions(service.databaseUrl), max: 1 });
  try {
    const tables = await sql`SELECT tablename FROM pg_tables WHERE schemaname = 'public'`;
    const rows = await Promise.all(
      tables.map(({ tablename }) => sql.unsafe(`SELECT t::text AS row FROM "${tablename}" t`)),
    );
    return rows
      .flat()
      .map(({ row }) => String(row))
      .join("\n");
  } finally {
    await sql.end();
  }
}

test("a secret variable is in no argument, environment, log, plan text, response or table", async () => {
  await using project = await makeProject(service);
  await writeFile(join(project.folder, "told"), "");
  await project.slowDown();
  const tasks = service.client(TaskService);
  const task = await project.planned({ secretVariables: { password: VALUE } });
  expect(existsSync(join(taskFolder(service, task), "private"))).toBe(false);
  const { text } = await tasks.getTaskPlan({ name: task.name });
  expect(text).toContain("***");
  using watcher = follow(service, task.name);
  await project.confirm(task);
  await until(() => project.isBusy());
  expect(shown()).toEqual([]);
  const during = await dump();
  expect(during).toContain(task.name.split("/").at(-1));
  await project.speedUp();
  const end = await watcher.ended;
  expect(endOf(end)).toMatchObject({ status: "SUCCESS" });
  expect(await project.applied()).toMatchObject({ told: VALUE });
  const told = [
    text,
    during,
    await dump(),
    JSON.stringify(end, (_, value) => (typeof value === "bigint" ? String(value) : value)),
    watcher.text(),
    watcher.text(LogStream.STDERR),
    watcher.text(LogStream.SYSTEM),
  ].join("\n");
  expect(told).not.toContain(VALUE);
  await leavesNothing(service, task);
});

test("a plan is not applied if its secrets cannot be masked", async () => {
  await using project = await makeProject(service);
  const task = await project.planned({ secretVariables: { password: VALUE } });
  await writeFile(join(taskFolder(service, task), "kept"), "damaged");
  using watcher = follow(service, task.name);
  await project.confirm(task);
  const end = await watcher.ended;
  const message =
    "Cannot apply the plan: the secrets that it was made with cannot be masked: Cannot decrypt a secret: its stored form is unknown or damaged; set it again. Run the template again for a new plan";
  expect(endOf(end)).toMatchObject({ status: "ERROR", reason: "PREPARE_FAILED", message });
  expect(await project.applied()).toEqual({});
  await leavesNothing(service, task);
});
