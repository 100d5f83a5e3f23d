import { fileURLToPath } from "node:url";
import { drizzle } from "drizzle-orm/postgres-js";
import { migrate as drizzleMigrate } from "drizzle-orm/postgres-js/migrator";
import { messageOf } from "../../task/errors.ts";
import { ensurePartitions } from "../logs/partitions.ts";
import { connect } from "./database.ts";
import { retryTransient } from "./transient-errors.ts";

const FOLDER = fileURLToPath(new URL("../migrations", import.meta.url));
/** Any number, the same in every version of Signalman. */
const LOCK = 5_410_251;
const OLDEST_VERSION = 140_000;

/**
 * Brings the schema up to date; several servers may do so at once, since one waits for the other.
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
    throw new Error(`PostgreSQL 14 or newer is needed, DATABASE_URL leads to version ${row?.version}`);
  }
  if (row.encoding !== "UTF8") {
    throw new Error(`The database must be in UTF8, it is in ${row.encoding}: create it with ENCODING 'UTF8'`);
  }
}

/** Milliseconds for which PostgreSQL may be out of reach at the start of a server: it may be starting too. */
const PATIENCE_MS = 20_000;

/**
 * As `migrate`, repeated while the trouble is transient. `onRetry` gets each error. A migration may take longer than 20 s,
 * and so may another server's, which is waited for.
 * @throws Error that says what the trouble was, if an attempt fails after 20 s.
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
        `Cannot use ${place} for ${PATIENCE_MS / 1000} s: ${messageOf(trouble)}. Is DATABASE_URL right, and does it run?`,
        { cause: trouble },
      );
    },
  );
}
