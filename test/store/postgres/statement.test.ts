import { eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { place, prepared, statement } from "../../../src/store/postgres/statement.ts";
import { projects } from "../../../src/store/schema/resources.ts";
import { openStore, type TestStore } from "../fixture.ts";

let store: TestStore;
beforeAll(async () => {
  store = await openStore();
  await store.makeProject(["t"]);
});
afterAll(() => store[Symbol.asyncDispose]());

test("a statement is built once and takes other values each time, null included", async () => {
  let made = 0;
  const twice = statement<{ n: number | null; word: string }, { twice: number | null; word: string }>(
    (at) => {
      made++;
      return sql`SELECT ${at.n}::integer * 2 AS twice, ${at.word}::text || 'ly' AS word`;
    },
  );
  const run = (n: number | null, word: string) =>
    store.database.run(async (db) => [...(await twice(db, { n, word }))]);
  expect(await run(4, "love")).toEqual([{ twice: 8, word: "lovely" }]);
  expect(await run(null, "'; --")).toEqual([{ twice: null, word: "'; --ly" }]);
  expect(made).toBe(1);
});

test("a value may occur several times, beside constant values", async () => {
  const sum = statement<{ n: number }, { sum: number }>(
    (at) => sql`SELECT ${at.n}::integer + ${at.n}::integer + ${100}::integer AS sum`,
  );
  expect(await store.database.run(async (db) => (await sum(db, { n: 1 }))[0]?.sum)).toBe(102);
});

test("a statement runs within a transaction and is rolled back with it", async () => {
  const insert = statement<{ name: string }, never>(
    (at) => sql`INSERT INTO projects (name, spec) VALUES (${at.name}, '{}')`,
  );
  const undone = store.database.run((db) =>
    db.transaction(async (tx) => {
      await insert(tx, { name: "undone" });
      throw new Error("no");
    }),
  );
  await expect(undone).rejects.toThrow("no");
  expect(await named("undone")).toEqual([]);
  expect(await named("p")).toEqual([{ name: "p" }]);
});

const byName = prepared((db) =>
  db
    .select({ name: projects.name })
    .from(projects)
    .where(eq(projects.name, place("name")))
    .prepare("by_name"),
);
const named = (name: string) => store.database.run((db) => byName(db).execute({ name }));
