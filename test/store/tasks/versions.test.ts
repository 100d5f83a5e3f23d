import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTask, type RequestKey } from "../../../src/store/tasks/tasks.ts";
import { finish } from "../../../src/store/tasks/transitions.ts";
import { findBuild, loadAutoruns } from "../../../src/store/tasks/versions.ts";
import type { TaskOutcome } from "../../../src/task/types.ts";
import { newTask, openStore, type TestStore } from "../fixture.ts";

let store: TestStore;
beforeAll(async () => {
  store = await openStore();
  await store.makeProject(["t", "build", "deploy"]);
  await store.makeProject(["build"], { name: "q" });
});
afterAll(() => store[Symbol.asyncDispose]());

const key = (): RequestKey => ({ id: randomUUID(), bodyHash: Buffer.from("body") });
const SUCCESS: TaskOutcome = { status: "SUCCESS", reason: null, exitCode: 0, signal: null, message: "" };

async function build(startVersion: string, more: { project?: string } = {}, request?: RequestKey) {
  return (await createTask(store.database, newTask("build", { startVersion, ...more }), request)).task;
}

describe("the version of a new task", () => {
  test("is the next one in the order of ids, also for concurrent tasks", async () => {
    // Half of them have request ids, which take another path through the transaction.
    const made = await Promise.all(
      Array.from({ length: 20 }, (_, i) => build("1.0.000", {}, i % 2 ? key() : undefined)),
    );
    const inOrder = made.toSorted((a, b) => (a.id < b.id ? -1 : 1)).map(({ version }) => version);
    expect(inOrder).toEqual(Array.from({ length: 20 }, (_, i) => `1.0.${String(i).padStart(3, "0")}`));
  });

  test("follows that of the newest task of its template, whether that succeeded or not", async () => {
    const first = await build("3.0", { project: "q" });
    await store.sql`UPDATE tasks SET status = 'STOPPED', end_reason = 'STOPPED_BY_USER', end_time = now() WHERE id = ${first.id}`;
    expect([first.version, (await build("3.0", { project: "q" })).version]).toEqual(["3.0", "3.1"]);
  });

  test("is the same for a repeated request, and the next task gets the next one", async () => {
    const request = key();
    const [once, again] = [await build("5.0", {}, request), await build("5.0", {}, request)];
    expect(again).toMatchObject({ id: once.id, version: once.version });
    expect(once.version).toBe("5.0");
    expect((await build("5.0")).version).toBe("5.1");
  });

  test("is empty without a start version, and takes no lock then", async () => {
    await store.sql.begin(async (tx) => {
      await tx`SELECT pg_advisory_xact_lock(hashtextextended('versions p/build', 0))`;
      expect((await build("")).version).toBe("");
    });
  });
});

describe("the build of a deploy", () => {
  const of = { project: "p", template: "t" };

  test("is the newest one that succeeded, or the requested one if that succeeded", async () => {
    expect(await findBuild(store.database, of, undefined)).toBeUndefined();
    const succeeded = [await store.makeTaskIn("SUCCESS"), await store.makeTaskIn("SUCCESS")];
    const failed = await store.makeTaskIn("ERROR");
    expect(await findBuild(store.database, of, undefined)).toEqual({
      ...of,
      id: succeeded[1]?.id,
      version: "",
      incomingVersion: "",
      createdBy: "ada",
    });
    expect(await findBuild(store.database, of, succeeded[0]?.id)).toMatchObject({ id: succeeded[0]?.id });
    expect(await findBuild(store.database, of, failed.id)).toBeUndefined();
    expect(await findBuild(store.database, { ...of, template: "build" }, succeeded[0]?.id)).toBeUndefined();
  });
});

test("autoruns are the deploy templates with autorun that name this build, ordered by name", async () => {
  const spec = (more: object) => ({ type: "TEMPLATE_TYPE_DEPLOY", autorun: true, ...more });
  const rows = [
    ["z", "p", spec({ buildTemplate: "projects/p/templates/build" })],
    ["a", "p", spec({ buildTemplate: "projects/p/templates/build" })],
    ["by-hand", "p", spec({ buildTemplate: "projects/p/templates/build", autorun: false })],
    ["no-deploy", "p", spec({ buildTemplate: "projects/p/templates/build", type: "TEMPLATE_TYPE_TASK" })],
    ["of-another", "p", spec({ buildTemplate: "projects/p/templates/t" })],
    ["elsewhere", "q", spec({ buildTemplate: "projects/q/templates/build" })],
  ] as const;
  for (const [name, project, json] of rows)
    await store.sql`INSERT INTO templates (project, name, spec) VALUES (${project}, ${name}, ${store.sql.json(json)})`;
  const found = await loadAutoruns(store.database, { project: "p", template: "build" });
  expect(found.map(({ name }) => name)).toEqual(["a", "z"]);
  expect(await loadAutoruns(store.database, { project: "p", template: "deploy" })).toEqual([]);
});

describe("the tasks that follow an end", () => {
  const followers = [newTask("deploy", { incomingVersion: "1" }), newTask("deploy")];
  const count = async () => (await store.sql`SELECT 1 FROM tasks WHERE template = 'deploy'`).length;

  test("are created with it once, also if a commit with an unknown result is repeated", async () => {
    const lease = await store.makeTaskIn("RUNNING");
    const before = await count();
    const ended = await finish(store.database, lease, SUCCESS, { followers });
    expect(ended).toMatchObject({ applied: true, followers: [expect.any(String), expect.any(String)] });
    expect(await finish(store.database, lease, SUCCESS, { followers })).toEqual({
      applied: true,
      followers: [],
    });
    expect(await count()).toBe(before + 2);
    const [first = ""] = ended.followers;
    expect(await store.row(first)).toMatchObject({ status: "WAITING", incomingVersion: "1" });
    expect(await store.events(first)).toEqual(["WAITING"]);
  });

  test("are not created after a kill or under an old epoch", async () => {
    const stopping = await store.makeTaskIn("STOPPING");
    const before = await count();
    expect(await finish(store.database, stopping, SUCCESS, { followers })).toEqual({
      applied: false,
      followers: [],
    });
    const { id } = await store.makeTaskIn("RUNNING", { lease_epoch: 2 });
    await expect(finish(store.database, { id, leaseEpoch: 1 }, SUCCESS, { followers })).rejects.toThrow();
    expect(await count()).toBe(before);
  });

  test("roll the end back if one of them cannot be created", async () => {
    const lease = await store.makeTaskIn("RUNNING");
    const before = await count();
    const impossible = [...followers, newTask("deploy", { project: "none" })];
    await expect(finish(store.database, lease, SUCCESS, { followers: impossible })).rejects.toThrow();
    expect(await count()).toBe(before);
    expect(await store.row(lease.id)).toMatchObject({ status: "RUNNING" });
  });
});
