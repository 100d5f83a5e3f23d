import { afterAll, beforeAll, expect, test } from "vitest";
import { countLateLines, readLateTasks, storeLateChunks } from "../../../src/store/logs/late.ts";
import { readChunks } from "../../../src/store/logs/logs.ts";
import { lateChunks } from "../../../src/store/schema/tasks.ts";
import { deleteTask } from "../../../src/store/tasks/deletions.ts";
import { chunk, NODE, OTHER_NODE, openStore, type TestStore } from "../fixture.ts";

let store: TestStore;
beforeAll(async () => {
  store = await openStore();
  await store.makeProject(["t*"]);
});
afterAll(() => store[Symbol.asyncDispose]());

const found = async (ids: string[], node = NODE) =>
  (await readLateTasks(store.database, node, ids)).map(({ task }) => task.id);

test("only LOST tasks of the node may have late lines, and only until they are stored", async () => {
  const { id } = await store.makeTaskIn("ERROR");
  const running = await store.makeTaskIn("RUNNING");
  const failed = await store.makeTaskIn("ERROR", { end_reason: "EXIT_CODE" });
  const ids = [id, running.id, failed.id];
  expect(await found(ids)).toEqual([id]);
  expect(await found(ids, OTHER_NODE)).toEqual([]);
  await storeLateChunks(store.database, id, [chunk(1, 3)]);
  expect(await found(ids)).toEqual([]);
});

test("late lines are stored once, apart from the log, and deleted with the task", async () => {
  const { id } = await store.makeTaskIn("ERROR");
  await Promise.all([1, 2].map(() => storeLateChunks(store.database, id, [chunk(1, 2), chunk(3, 9)])));
  expect(await countLateLines(store.database, id)).toBe(9);
  expect(await readChunks(store.database, id, 1, 99, 9)).toEqual([]);
  const late = await readChunks(store.database, id, 4, 99, 9, lateChunks);
  expect(late).toMatchObject([{ firstSeq: 3, lastSeq: 9 }]);
  await deleteTask(store.database, { project: "p", id });
  expect(await countLateLines(store.database, id)).toBe(0);
  await storeLateChunks(store.database, id, [chunk(1, 2)]);
  expect(await countLateLines(store.database, id)).toBe(0);
});
