import { sql } from "drizzle-orm";
import type { Queryable } from "../postgres/database.ts";

/** Days ahead of today for which partitions exist. After a longer stop of all servers, the first housekeeping creates today's. */
const DAYS_AHEAD = 7;
/** Key of the advisory lock. Arbitrary, but the same in every version of Signalman. */
const PARTITION_LOCK = 5_410_253;

/**
 * Creates missing partitions of `log_chunks` for today and the following days, in UTC. Creating one locks the parent
 * table briefly. `db` must be a transaction: its advisory lock keeps two servers from creating the same partition at
 * once.
 */
export async function ensurePartitions(db: Queryable): Promise<void> {
  await db.execute(sql`SELECT pg_advisory_xact_lock(${PARTITION_LOCK})`);
  const missing = await db.execute<{ table: string; from: string; to: string }>(sql`
    SELECT 'log_chunks_' || to_char(day, 'YYYYMMDD') AS table,
           uuid_v7_floor(day AT TIME ZONE 'UTC') AS from,
           uuid_v7_floor((day + interval '1 day') AT TIME ZONE 'UTC') AS to
    FROM generate_series(
      date_trunc('day', now() AT TIME ZONE 'UTC') - interval '1 day',
      date_trunc('day', now() AT TIME ZONE 'UTC') + ${`${DAYS_AHEAD} days`}::interval,
      interval '1 day') AS day
    WHERE to_regclass('log_chunks_' || to_char(day, 'YYYYMMDD')) IS NULL`);
  for (const { table, from, to } of missing) {
    await db.execute(
      sql.raw(
        `CREATE TABLE IF NOT EXISTS "${table}" PARTITION OF "log_chunks" FOR VALUES FROM ('${from}') TO ('${to}')`,
      ),
    );
  }
}
