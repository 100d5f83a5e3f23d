import { randomBytes } from "node:crypto";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { drizzle } from "drizzle-orm/postgres-js";
import { migrate as drizzleMigrate } from "drizzle-orm/postgres-js/migrator";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { socketOptions } from "../../src/embedded/socket-url.ts";
import { getResource } from "../../src/store/catalog/resources.ts";
import { keepHouse } from "../../src/store/housekeeping.ts";
import journal from "../../src/store/migrations/meta/_journal.json" with { type: "json" };
import { openDatabases } from "../../src/store/postgres/databases.ts";
import { migrate } from "../../src/store/postgres/migrate.ts";
import { dropDatabase } from "../support/database.ts";
import { openStore, type TestStore } from "./fixture.ts";

let store: TestStore;
beforeAll(async () => {
  store = await openStore();
  await store.makeProject(["t"]);
});
afterAll(() => store[Symbol.asyncDispose]());

/** Creates an empty database beside that of the store. */
async function emptyDatabase(more = "ENCODING 'UTF8'") {
  const name = `signalman_empty_${randomBytes(4).toString("hex")}`;
  await store.sql.unsafe(`CREATE DATABASE ${name} TEMPLATE template0 ${more}`);
  const url = new URL(store.url);
  url.pathname = `/${name}`;
  const sql = postgres(url.href, { ...socketOptions(url.href), max: 1, onnotice() {} });
  return {
    url: url.href,
    sql,
    async [Symbol.asyncDispose]() {
      await sql.end();
      await dropDatabase(store.url, name);
    },
  };
}

/** Brings an empty database to the schema before the migration of this name. */
async function migrateBefore({ sql }: { sql: postgres.Sql }, name: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "signalman-migrations-"));
  const own = fileURLToPath(new URL("../../src/store/migrations", import.meta.url));
  const at = journal.entries.findIndex(({ tag }) => tag.endsWith(`_${name}`));
  if (at < 0) throw new Error(`There is no migration ${name}`);
  cpSync(own, folder, { recursive: true });
  const entries = journal.entries.slice(0, at);
  writeFileSync(join(folder, "meta/_journal.json"), JSON.stringify({ ...journal, entries }));
  const options = { migrationsFolder: folder, migrationsSchema: "public", migrationsTable: "migrations" };
  await drizzleMigrate(drizzle(sql), options);
  rmSync(folder, { recursive: true });
}

describe("migrations", () => {
  test("are applied once by several concurrent servers on an empty database", async () => {
    await using empty = await emptyDatabase();
    await Promise.all([migrate(empty.url), migrate(empty.url), migrate(empty.url)]);
    expect(await empty.sql`SELECT 1 FROM migrations`).toHaveLength(journal.entries.length);
    expect(await empty.sql`SELECT 1 FROM tasks`).toHaveLength(0);
  });

  test("change nothing in a database that is up to date", async () => {
    const columns = () =>
      store.sql`SELECT table_name, column_name FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name NOT LIKE 'log_chunks_2%' ORDER BY 1, 2`;
    const before = await columns();
    await migrate(store.url);
    expect([...(await columns())]).toEqual([...before]);
  });

  test("leave stored templates open to their callers, as they were", async () => {
    await using empty = await emptyDatabase();
    const { sql } = empty;
    await migrateBefore(empty, "restrict-callers");
    await sql`INSERT INTO projects (name, spec) VALUES ('p', '{}')`;
    await sql`INSERT INTO templates (project, name, spec) VALUES ('p', 't', '{"app": "bash"}')`;
    await migrate(empty.url);
    // A server of the release before reads the spec as it was.
    expect((await sql`SELECT spec FROM templates`)[0]).toEqual({ spec: { app: "bash" } });
    const { control, close } = openDatabases(empty.url);
    const { spec } = await getResource(control, "templates", "p", "t");
    await close();
    expect(spec).toEqual({ app: "bash", allowOverrideEnv: ["*"], allowExtraVariables: true });
  });

  test("refuse a database that is not in UTF-8, and say what to do", async () => {
    await using latin = await emptyDatabase("ENCODING 'LATIN1' LOCALE 'C'");
    await expect(migrate(latin.url)).rejects.toThrow(
      "The database has the encoding LATIN1; UTF8 is needed: create it with ENCODING 'UTF8'",
    );
  });
});

describe("partitions", () => {
  const partitions = async () => {
    const rows =
      await store.sql`SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'log_chunks'::regclass ORDER BY 1`;
    return rows.map(({ name }) => String(name));
  };
  const DAY_MS = 86_400_000;
  /** Day on which the database was created, which may be yesterday if the test runs at midnight. */
  let today: number;
  beforeAll(async () => {
    const [, year, month, day] = /(\d{4})(\d\d)(\d\d)$/.exec((await partitions())[1] ?? "") ?? [];
    today = Date.parse(`${year}-${month}-${day}T00:00:00Z`);
  });
  const dayFrom = (offset: number) =>
    `log_chunks_${new Date(today + offset * DAY_MS).toISOString().slice(0, 10).replaceAll("-", "")}`;

  test("exist for yesterday, today and the coming week", async () => {
    const now = Math.floor(Date.now() / DAY_MS) * DAY_MS;
    expect([now, now - DAY_MS]).toContain(today);
    // A migration on the next day, in a test above, adds that day's.
    expect((await partitions()).slice(0, 9)).toEqual(Array.from({ length: 9 }, (_, i) => dayFrom(i - 1)));
  });

  test("hold the lines of each task by its day of creation, in UTC", async () => {
    const insert = (time: string) =>
      store.sql`INSERT INTO log_chunks VALUES (uuid_v7(${time}::timestamptz), 1, 1, 1, 0, 0, '') RETURNING tableoid::regclass::text AS name`;
    const date = new Date(today).toISOString().slice(0, 10);
    for (const time of ["00:00:00.000000", "23:59:59.999999"]) {
      expect(await insert(`${date}T${time}Z`)).toEqual([{ name: dayFrom(0) }]);
    }
    expect(await insert(new Date(today - 1).toISOString())).toEqual([{ name: dayFrom(-1) }]);
    await expect(insert("2001-01-01T00:00:00Z")).rejects.toThrow(/no partition/);
  });

  test("that are missing are created, and only those", async () => {
    const before = await partitions();
    await store.sql.unsafe(`DROP TABLE ${dayFrom(6)}, ${dayFrom(7)}`);
    for (let i = 0; i < 2; i++) {
      await keepHouse(store.database);
      // A day that has begun meanwhile has one more.
      expect((await partitions()).slice(0, before.length)).toEqual(before);
    }
  });
});

test("ids that are created a microsecond apart sort by time, and no two are equal", async () => {
  const rows = await store.sql`
    SELECT uuid_v7('2026-01-01 00:00:00Z'::timestamptz + n * interval '1 microsecond')::text AS id
    FROM generate_series(0, 5000) AS n`;
  const ids = rows.map(({ id }) => String(id));
  expect(ids.toSorted()).toEqual(ids);
  expect(new Set(ids).size).toBe(ids.length);
  expect(
    ids.every((id) => /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id)),
  ).toBe(true);
});
