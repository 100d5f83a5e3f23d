import { afterAll, beforeAll, expect, test } from "vitest";
import { findTail, readChunks, storeChunks } from "../../../src/store/logs/logs.ts";
import { readMarks, readProgress } from "../../../src/store/tasks/progress.ts";
import { chunk, openStore, type TestStore } from "../fixture.ts";

let store: TestStore;
let id: string;
beforeAll(async () => {
  store = await openStore();
  await store.makeProject(["t"]);
  const lease = await store.makeTaskIn("RUNNING");
  id = lease.id;
  // 1-10 stdout, 11-12 stderr, 13-32 half and half, 33 system
  const counts = (stdout: number, stderr: number, system: number) => ({ counts: { stdout, stderr, system } });
  const chunks = [
    chunk(1, 10),
    chunk(11, 12, counts(0, 2, 0)),
    chunk(13, 32, counts(10, 10, 0)),
    chunk(33, 33, counts(0, 0, 1)),
  ] as const;
  for (const one of chunks) await store.database.run((db) => storeChunks(db, lease, [one]));
});
afterAll(() => store[Symbol.asyncDispose]());

test.each([
  [1, 33, 9, [1, 11, 13, 33]],
  [10, 11, 9, [1, 11]],
  [12, 12, 9, [11]],
  [20, 20, 9, [13]],
  [5, 33, 2, [1, 11]],
  [34, 99, 9, []],
])("chunks with lines from %d to %d, %d at most, begin at %j", async (from, to, limit, first) => {
  expect((await readChunks(store.database, id, from, to, limit)).map(({ firstSeq }) => firstSeq)).toEqual(
    first,
  );
});

test("missing chunks are skipped", async () => {
  const [gone] = await store.sql`DELETE FROM log_chunks WHERE first_seq = 11 RETURNING *`;
  expect((await readChunks(store.database, id, 11, 20, 9)).map(({ firstSeq }) => firstSeq)).toEqual([13]);
  await store.sql`INSERT INTO log_chunks ${store.sql(gone ?? {})}`;
});

const ALL = ["stdout", "stderr", "system"] as const;
test.each([
  [1, ALL, { firstSeq: 33, skip: 0 }],
  [2, ALL, { firstSeq: 13, skip: 19 }],
  [21, ALL, { firstSeq: 13, skip: 0 }],
  [33, ALL, { firstSeq: 1, skip: 0 }],
  [34, ALL, undefined],
  [10, ["stdout"], { firstSeq: 13, skip: 0 }],
  [11, ["stdout"], { firstSeq: 1, skip: 9 }],
  [11, ["stderr"], { firstSeq: 11, skip: 1 }],
  [2, ["system"], undefined],
] as const)("the last %d lines of %j begin in %j", async (lines, streams, start) => {
  expect(await findTail(store.database, id, lines, streams)).toEqual(start);
});

test("marks have the last line and event numbers of the tasks that exist", async () => {
  const marks = await readMarks(store.database, [id, "00000000-0000-7000-8000-000000000000"]);
  expect(marks).toEqual([{ id, lastSeq: 33, events: 1 }]);
  expect(await readProgress(store.database, "00000000-0000-7000-8000-000000000000", 0)).toBeUndefined();
});
