import postgres from "postgres";
import { socketOptions } from "../../src/embedded/socket-url.ts";

/** Runs one statement on a new connection. */
export async function query(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const sql = postgres(url, { ...socketOptions(url), max: 1, fetch_types: false });
  try {
    return [...(await sql.unsafe(statement))];
  } finally {
    await sql.end();
  }
}
