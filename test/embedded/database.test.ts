import postgres from "postgres";
import { afterAll, describe, expect, test } from "vitest";
import { socketOptions } from "../../src/embedded/socket-url.ts";
import { type TestDatabase, testDatabase } from "../support/database.ts";
import { query } from "./connect.ts";

const databases: TestDatabase[] = [];
afterAll(() => Promise.all(databases.map((database) => database.drop())));

describe("Databases for tests", () => {
  test("are empty and separate", async () => {
    const [one, other] = await Promise.all([testDatabase(), testDatabase()]);
    databases.push(one, other);
    await query(one.url, "CREATE TABLE mine (value text)");
    await expect(query(other.url, "SELECT * FROM mine")).rejects.toMatchObject({ code: "42P01" });
    expect(
      await query(
        other.url,
        "SELECT pg_encoding_to_char(encoding) AS encoding FROM pg_database WHERE datname = current_database()",
      ),
    ).toEqual([{ encoding: "UTF8" }]);
  });

  test("can be dropped while a client is connected", async () => {
    const database = await testDatabase();
    const sql = postgres(database.url, { ...socketOptions(database.url), max: 1, backoff: false });
    await sql`SELECT 1`;
    const ended = expect(sql`SELECT pg_sleep(600)`).rejects.toThrow();
    await database.drop();
    await ended;
    await sql.end({ timeout: 0 });
  });
});
