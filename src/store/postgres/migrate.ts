import { fileURLToPath } from "node:url";
import { drizzle } from "drizzle-orm/postgres-js";
import { migrate as drizzleMigrate } from "drizzle-orm/postgres-js/migrator";
import { messageOf } from "../../task/errors.ts";
import { ensurePartitions } from "../logs/partitions.ts";
import { connect } from "./database.ts";
import { retryTransient } from "./transient-errors.ts";

const FOLDER = fileURLToPath(new URL("../migrations", import.meta.url));
/** Key of the advisory lock. Arbitrary, but the same in every version of Signalman. */
const LOCK = 5_410_251;
const OLDEST_VERSION = 140_000;

/**
 * Brings the schema up to date. Several servers may call it at once; an advisory lock makes them take turns.
 * @throws Error that says what to do if the server is too old or the database is not in UTF-8.
 */
export async function migrate(url: string): Promise<void> {
  const client = connect(url, { max: 1, name: "migrate" });
  try {
    await assertUsable(client);
    await client`SELECT pg_advisory_lock(${LOCK})`;
    const db = drizzle(client);
    await drizzleMigrate(db, {
      migrationsFolder: FOLDER,
      migrationsSchema: "public",
      migrationsTable: "migrations",
    });
    await db.transaction(ensurePartitions);
  } finally {
    await client.end({ timeout: 2 });
  }
}

async function assertUsable(client: ReturnType<typeof connect>): Promise<void> {
  const [row] = await client<{ version: number; encoding: string }[]>`
    SELECT current_setting('server_version_num')::integer AS version,
           current_setting('server_encoding') AS encoding`;
  if (!row || row.version < OLDEST_VERSION) {
    throw new Error(
      `PostgreSQL at DATABASE_URL has version ${row?.version}; version 14 (140000) or newer is needed`,
    );
  }
  if (row.encoding !== "UTF8") {
    throw new Error(
      `The database has the encoding ${row.encoding}; UTF8 is needed: create it with ENCODING 'UTF8'`,
    );
  }
}

/** Milliseconds for which PostgreSQL may be out of reach when a server starts, since it may be starting as well. */
const PATIENCE_MS = 20_000;

/**
 * Calls `migrate`, retrying transient errors; `onRetry` is called with each of them. A running migration, of this
 * server or of another one, may take longer than 20 s.
 * @throws Error with the cause if an attempt fails 20 s after the first one began.
 */
export async function migratePatiently(
  url: string,
  onRetry: (error: unknown) => void = () => {},
): Promise<void> {
  const begun = performance.now();
  await retryTransient(
    () => migrate(url),
    new AbortController().signal,
    (trouble) => {
      onRetry(trouble);
      if (performance.now() - begun < PATIENCE_MS) return;
      const { host, pathname } = new URL(url);
      const place = `PostgreSQL at ${decodeURIComponent(host)}${pathname}`;
      throw new Error(
        `Cannot use ${place} for ${PATIENCE_MS / 1000} s: ${messageOf(trouble)}. Check DATABASE_URL, and that PostgreSQL runs there`,
        { cause: trouble },
      );
    },
  );
}
