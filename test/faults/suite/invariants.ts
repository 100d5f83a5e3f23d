import type postgres from "postgres";

/** Queries by what must hold once all tasks have ended. Each returns the rows that break it. */
const INVARIANTS: Record<string, string> = {
  "the chunks of a log continue one another": `
    SELECT * FROM (
      SELECT task_id, first_seq, lag(last_seq, 1, 0::bigint) OVER (PARTITION BY task_id ORDER BY first_seq) AS before
      FROM log_chunks) AS c
    WHERE first_seq <> before + 1`,
  "a chunk holds the lines that it counts": `
    SELECT task_id, first_seq FROM log_chunks
    WHERE last_seq - first_seq + 1 <> stdout_lines + stderr_lines + system_lines`,
  "a head names the last line and the bytes of its chunks": `
    SELECT h.task_id, h.last_seq, h.log_bytes FROM task_heads h
    LEFT JOIN LATERAL (
      SELECT max(last_seq) AS last, sum(octet_length(data)) AS bytes FROM log_chunks c WHERE c.task_id = h.task_id) AS c ON true
    WHERE h.last_seq <> coalesce(c.last, 0) OR h.log_bytes <> coalesce(c.bytes, 0)`,
  "the events of a task are dense": `
    SELECT h.task_id, h.events FROM task_heads h
    WHERE h.events <> (SELECT count(*) FROM task_events e WHERE e.task_id = h.task_id)
       OR h.events <> (SELECT max(ordinal) FROM task_events e WHERE e.task_id = h.task_id)`,
  "the events of a task come in the order of its lines": `
    SELECT * FROM (
      SELECT task_id, ordinal, after_seq, lag(after_seq, 1, 0::bigint) OVER (PARTITION BY task_id ORDER BY ordinal) AS before
      FROM task_events) AS e
    WHERE after_seq < before`,
  "an event lies at a border of chunks": `
    SELECT task_id, ordinal, after_seq FROM task_events e
    WHERE after_seq <> 0
      AND NOT EXISTS (SELECT 1 FROM log_chunks c WHERE c.task_id = e.task_id AND c.last_seq = e.after_seq)`,
  "a task and its head have the same epoch": `
    SELECT t.id, t.lease_epoch, h.lease_epoch AS head FROM tasks t JOIN task_heads h ON h.task_id = t.id
    WHERE t.lease_epoch <> h.lease_epoch`,
  "every task has a head": `
    SELECT id FROM tasks WHERE NOT EXISTS (SELECT 1 FROM task_heads h WHERE h.task_id = id)`,
  "a task has the status of its last event": `
    SELECT t.id, t.status, e.status AS event FROM tasks t
    JOIN task_heads h ON h.task_id = t.id
    JOIN task_events e ON e.task_id = t.id AND e.ordinal = h.events
    WHERE t.status <> e.status`,
  "only the last event of a task is final": `
    SELECT e.task_id, e.ordinal FROM task_events e JOIN task_heads h ON h.task_id = e.task_id
    WHERE (e.status IN ('SUCCESS', 'ERROR', 'STOPPED')) <> (e.ordinal = h.events)`,
  "positions are unique": `
    SELECT position FROM task_events WHERE position IS NOT NULL GROUP BY position HAVING count(*) > 1`,
  "every event has a position": "SELECT task_id, ordinal FROM task_events WHERE position IS NULL",
  "the events of a task have positions in their order": `
    SELECT * FROM (
      SELECT task_id, ordinal, position, lag(position, 1, 0::bigint) OVER (PARTITION BY task_id ORDER BY ordinal) AS before
      FROM task_events) AS e
    WHERE position <= before`,
  "nothing is left of an ended task": `
    SELECT id, status FROM tasks
    WHERE end_time IS NOT NULL AND (lease_expires IS NOT NULL OR secrets IS NOT NULL OR may_still_run)`,
  "every chunk has a task": `
    SELECT DISTINCT task_id FROM log_chunks WHERE NOT EXISTS (SELECT 1 FROM tasks WHERE id = task_id)`,
};

/** Number of rows of one violation that are shown. */
const SHOWN = 5;

/** Returns what does not hold in a database whose tasks have all ended. */
export async function brokenInvariants(sql: postgres.Sql): Promise<string[]> {
  const broken: string[] = [];
  for (const [what, query] of Object.entries(INVARIANTS)) {
    const rows = await sql.unsafe(query);
    if (rows.length > 0)
      broken.push(`SQL: not true: ${what}; ${rows.length} rows: ${JSON.stringify(rows.slice(0, SHOWN))}`);
  }
  return broken;
}
