import { Code, ConnectError } from "@connectrpc/connect";
import postgres from "postgres";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { socketOptions } from "../../src/embedded/socket-url.ts";
import { decompress } from "../../src/logs/compress.ts";
import type { TestService } from "../support/service.ts";

/** Refusal of a call: name of the code, reason, and names of the wrong fields. */
export async function refusal(call: Promise<unknown> | AsyncIterable<unknown>) {
  const result = Symbol.asyncIterator in call ? Array.fromAsync(call) : call;
  const thrown = await result.then(
    () => undefined,
    (error: unknown) => ConnectError.from(error),
  );
  if (!thrown) throw new Error("It was not refused");
  const fields = thrown.findDetails(BadRequestSchema)[0]?.fieldViolations.map(({ field }) => field) ?? [];
  return { code: Code[thrown.code], reason: thrown.findDetails(ErrorInfoSchema)[0]?.reason, fields };
}

/** Returns the refusal INVALID_ARGUMENT that names these fields. */
export const invalid = (...fields: string[]) => ({
  code: "InvalidArgument",
  reason: "INVALID_ARGUMENT",
  fields,
});

/** Connects to the service's database. */
export function openSql(service: Pick<TestService, "databaseUrl">): postgres.Sql {
  return postgres(service.databaseUrl, { ...socketOptions(service.databaseUrl), max: 1, onnotice() {} });
}

/** Rows that calls may write, by table. Rows that running tasks write are left out. */
const WRITTEN = {
  projects: "t",
  access_keys: "t",
  inventories: "t",
  repositories: "t",
  environments: "t",
  templates: "t",
  task_requests: "t",
  tasks: "(id, kill_time, kill_deadline)",
};

/** Returns a digest of all rows that calls write: if it is equal before and after a call, the call wrote nothing. */
export async function everythingIn(sql: postgres.Sql): Promise<string> {
  const digests = Object.entries(WRITTEN).map(
    ([table, columns]) =>
      `SELECT '${table}' AS name, md5(string_agg(${columns}::text, '' ORDER BY ${columns}::text)) FROM ${table} t`,
  );
  return JSON.stringify(await sql.unsafe(digests.join(" UNION ALL ")));
}

/** Returns all rows of the database as text; binary values also decoded, and the log's chunks decompressed. */
export async function everyRow(sql: postgres.Sql): Promise<string> {
  const tables = await sql<{ name: string }[]>`
    SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) AS name FROM information_schema.tables
    WHERE table_schema NOT IN ('pg_catalog', 'information_schema')`;
  const texts: string[] = [];
  for (const { name } of tables) {
    for (const { row } of await sql.unsafe(`SELECT t::text AS row FROM ${name} t`)) {
      const binary = [...String(row).matchAll(/\\x([0-9a-f]+)/g)].map(([, hex = ""]) =>
        Buffer.from(hex, "hex").toString("latin1"),
      );
      texts.push(String(row), ...binary);
    }
  }
  for (const { data } of await sql`SELECT data FROM log_chunks`)
    texts.push(decompress(data).toString("latin1"));
  return texts.join("\n");
}
