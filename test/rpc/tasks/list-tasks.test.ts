import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampDate, timestampMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CatalogService } from "../../../gen/signalman/v1/catalog_service_pb.ts";
import type { Task } from "../../../gen/signalman/v1/task_pb.ts";
import { type ListTasksRequestSchema, TaskService } from "../../../gen/signalman/v1/task_service_pb.ts";
import { startService, type TestService } from "../../support/service.ts";
import { collect } from "../../watch/events.ts";
import { invalid, refusal } from "../support.ts";

let service: TestService;
/** Created tasks, the oldest first. */
const made: Task[] = [];
beforeAll(async () => {
  service = await startService();
  const templates = ["a", "b"].map((name) => ({
    name,
    app: "sh",
    repository: "r",
    path: "none",
    allowParallelTasks: true,
  }));
  for (const name of ["p", "q"]) {
    const catalog = { project: { name }, repositories: [{ name: "r", url: "/nowhere" }], templates };
    await service.client(CatalogService).applyCatalog({ catalog });
  }
  for (let i = 0; i < 7; i++)
    made.push(await make(i % 2 ? "b" : "a", { n: String(i), team: i < 3 ? "web app" : "db" }));
  await make("a", {}, "q");
  for (const { name } of made) await collect(service, { name, logs: false });
});
afterAll(() => service[Symbol.asyncDispose]());

/** Creates a task that fails at once, since its repository does not exist. */
async function make(template: string, labels: Record<string, string>, project = "p"): Promise<Task> {
  const { task } = await service
    .client(TaskService)
    .runTask({ template: `projects/${project}/templates/${template}`, labels });
  if (!task) throw new Error("RunTask returned no task");
  return task;
}

const list = (request: MessageInitShape<typeof ListTasksRequestSchema>) =>
  service.client(TaskService).listTasks({ parent: "projects/p", ...request });
/** Returns the numbers of the tasks that a filter selects, the newest first. */
async function matching(filter: string, parent = "projects/p"): Promise<number[]> {
  const { tasks } = await list({ filter, parent });
  return tasks.map(({ name }) => made.findIndex((task) => task.name === name));
}
const timeOf = (index: number) =>
  timestampDate(made[index]?.createTime ?? ({ seconds: 0n, nanos: 0 } as never)).toISOString();

describe("pages", () => {
  test("have no gap and no repetition while other tasks are created", async () => {
    const seen: string[] = [];
    const sizes: number[] = [];
    let pageToken = "";
    do {
      const page = await list({ pageSize: 3, pageToken });
      sizes.push(page.tasks.length);
      seen.push(...page.tasks.map(({ name }) => name));
      pageToken = page.nextPageToken;
      await make("a", { late: "yes" });
    } while (pageToken);
    expect(sizes).toEqual([3, 3, 1]);
    expect(seen).toEqual(made.map(({ name }) => name).reverse());
  });

  test("that hold exactly all tasks have no next page", async () => {
    const page = await list({ filter: 'labels.team = "web app"', pageSize: 3 });
    expect(page.tasks).toHaveLength(3);
    expect(page.nextPageToken).toBe("");
  });

  test("of size 0 have the default size of 50", async () => {
    expect((await list({ parent: "projects/-" })).tasks.length).toBeGreaterThan(8);
  });

  test.each(["create_time", "start_time", "end_time", "end_time desc"])(
    "in the order of %s",
    async (orderBy) => {
      const seen: Task[] = [];
      let pageToken = "";
      do {
        const page = await list({ pageSize: 3, pageToken, orderBy, filter: "template != none" });
        seen.push(...page.tasks.filter(({ labels }) => !labels.late));
        pageToken = page.nextPageToken;
      } while (pageToken);
      const timeOfEach = seen.map(({ createTime, startTime, end }) =>
        timestampMs(
          { create_time: createTime, start_time: startTime, end_time: end?.time }[
            orderBy.split(" ")[0] ?? ""
          ] as never,
        ),
      );
      expect(timeOfEach).toEqual(timeOfEach.toSorted((a, b) => (orderBy.endsWith("desc") ? b - a : a - b)));
      // None of them was ever started.
      expect(seen).toHaveLength(orderBy === "start_time" ? 0 : made.length);
    },
  );

  test("have tokens that are valid for their own query only", async () => {
    const { nextPageToken: pageToken } = await list({ pageSize: 1 });
    expect(await refusal(list({ pageToken, filter: "status = ERROR" }))).toEqual(invalid("page_token"));
    expect(await refusal(list({ pageToken, parent: "projects/q" }))).toEqual(invalid("page_token"));
    expect(await refusal(list({ pageToken, orderBy: "create_time" }))).toEqual(invalid("page_token"));
    for (const garbage of ["x", "bnVsbA", Buffer.from('["not-a-uuid","x"]').toString("base64url")]) {
      expect(await refusal(list({ pageToken: garbage }))).toEqual(invalid("page_token"));
    }
    expect((await list({ pageToken, pageSize: 5 })).tasks).toHaveLength(5);
  });

  test("with an invented token are refused", async () => {
    const { nextPageToken } = await list({ pageSize: 1 });
    const [, print] = JSON.parse(Buffer.from(nextPageToken, "base64url").toString());
    for (const position of [
      "not-a-uuid",
      "\0",
      made[0]?.name.split("/").at(-1),
      "1e3 x",
      `${"9".repeat(20)} ${made[0]?.name.split("/").at(-1)}`,
    ]) {
      const pageToken = Buffer.from(JSON.stringify([position, print])).toString("base64url");
      expect(await refusal(list({ pageToken }))).toEqual(invalid("page_token"));
    }
  });
});

describe("a filter", () => {
  test.each<[string, number[]]>([
    ["", [6, 5, 4, 3, 2, 1, 0]],
    ["labels.n = 4", [4]],
    ['labels.team = "web app"', [2, 1, 0]],
    ['labels.team = "web app" AND template = b', [1]],
    ['labels.team="web app"AND template!=b', [2, 0]],
    ["  template = projects/p/templates/b   AND labels.team = db ", [5, 3]],
    ["status = SUCCESS", []],
    ["status = TASK_STATUS_ERROR AND labels.n = 0", [0]],
    ["status != ERROR AND labels.n = 0", []],
    ["labels.n = none", []],
    ['labels.n = "4\\"5"', []],
  ])("%s", async (filter, expected) => {
    const kept = filter === "" ? "labels.late != yes" : filter;
    if (filter !== "") expect(await matching(kept)).toEqual(expected);
    else expect((await matching("")).filter((index) => index >= 0)).toEqual(expected);
  });

  test("by time accepts RFC 3339 in any time zone, and compares correctly", async () => {
    const time = timeOf(3);
    const isOld = 'labels.team = "web app"';
    expect(await matching(`create_time < "${time}" AND ${isOld}`)).toEqual([2, 1, 0]);
    expect(await matching(`create_time > "${time}" AND ${isOld}`)).toEqual([]);
    const elsewhere = new Date(Date.parse(time) + 2 * 3_600_000).toISOString().replace("Z", "+02:00");
    expect(await matching(`create_time < "${elsewhere}" AND ${isOld}`)).toEqual([2, 1, 0]);
    expect(await matching(`create_time < 2001-01-01T00:00:00Z`)).toEqual([]);
  });

  test("accepts a time in the form in which it was returned", async () => {
    expect(await matching(`create_time = "${timeOf(3)}"`)).toEqual([3]);
    expect(await matching(`create_time <= "${timeOf(3)}" AND labels.team = db`)).toEqual([3]);
  });

  test("by a template's full name finds its tasks only, not those of a template of the same name elsewhere", async () => {
    expect(
      (await list({ parent: "projects/-", filter: "template = projects/q/templates/a" })).tasks,
    ).toHaveLength(1);
  });

  test.each([
    "status",
    "status =",
    "status = NONSENSE",
    "status = UNSPECIFIED",
    "status = 1",
    "status = constructor",
    "status < RUNNING",
    "state = RUNNING",
    "template > a",
    "labels = a",
    "labels.a != b",
    "create_time = yesterday",
    "create_time > 1",
    "create_time > 2026-11-01",
    'create_time > "2026-13-01T00:00:00Z"',
    'create_time > "275760-01-01T00:00:00Z"',
    "status = ERROR AND",
    "status = ERROR labels.a = b",
    "status = ERROR OR labels.a = b",
    "NOT status = ERROR",
    "(status = ERROR)",
    'labels.a = "b',
    "labels.a = \0",
    "= ERROR",
    "AND",
  ])("%j is refused", async (filter) => {
    expect(await refusal(list({ filter }))).toEqual(invalid("filter"));
  });

  test("has at most 50 terms", async () => {
    const filter = (terms: number) => Array(terms).fill("labels.late = yes").join(" AND ");
    await list({ filter: filter(50) });
    expect(await refusal(list({ filter: filter(51) }))).toEqual(invalid("filter"));
    // Without a limit, so many terms exceeded PostgreSQL's number of parameters, and the call failed with INTERNAL.
    expect(await refusal(list({ filter: filter(70_000) }))).toEqual(invalid("filter"));
  });
});

test("the parent projects/- lists the tasks of all projects, and an unknown project answers NOT_FOUND", async () => {
  const { tasks } = await list({ parent: "projects/-", pageSize: 1000 });
  expect(new Set(tasks.map(({ name }) => name.split("/")[1]))).toEqual(new Set(["p", "q"]));
  expect(await refusal(list({ parent: "projects/none" }))).toMatchObject({ code: "NotFound" });
});
