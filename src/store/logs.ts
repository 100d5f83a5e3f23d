import { and, asc, eq, gte, lte, type SQL, sql } from "drizzle-orm";
import { LeaseLost } from "../task/errors.ts";
import type { TaskRecord } from "../task/types.ts";
import type { Database, Queryable } from "./database.ts";
import { logChunks } from "./schema/tasks.ts";

/** A chunk as it is stored: consecutive lines, compressed. */
export interface StoredChunk {
  firstSeq: number;
  lastSeq: number;
  counts: { stdout: number; stderr: number; system: number };
  /** Raw bytes of each stream that are covered by this and all earlier chunks. */
  offsets: { stdout: number; stderr: number };
  data: Buffer;
}

/**
 * Moves the log's head forward and adds the chunks, which follow each other, in one statement; what is stored already
 * (after a doubtful commit) is left as it is. Returns how many of the task's events precede the lines.
 * @throws LeaseLost if the head is not where the chunks begin: another server writes this log now.
 */
export async function storeChunks(
  db: Queryable,
  { id, leaseEpoch }: Pick<TaskRecord, "id" | "leaseEpoch">,
  chunks: readonly [StoredChunk, ...StoredChunk[]],
): Promise<number> {
  const { firstSeq } = chunks[0];
  const { lastSeq, offsets } = chunks.at(-1) ?? chunks[0];
  const bytes = chunks.reduce((sum, { data }) => sum + data.length, 0);
  const [stored] = await db.execute<{ events: number }>(sql`
    WITH head AS (
      UPDATE task_heads
      SET last_seq = ${lastSeq}, stdout_offset = ${offsets.stdout}, stderr_offset = ${offsets.stderr},
          log_bytes = log_bytes + ${bytes}
      WHERE task_id = ${id} AND lease_epoch = ${leaseEpoch} AND last_seq = ${firstSeq - 1}
      RETURNING events),
    chunk AS (
      INSERT INTO log_chunks (task_id, first_seq, last_seq, stdout_lines, stderr_lines, system_lines, data)
      SELECT ${id}::uuid, c.first_seq, c.last_seq, c.stdout, c.stderr, c.system,
             substring(joined.data FROM c.start FOR c.size)
      FROM head, ${joined(chunks)})
    SELECT events FROM head`);
  if (stored) return stored.events;
  const [head] = await db.execute<{ events: number; last_seq: string }>(sql`
    SELECT events, last_seq FROM task_heads WHERE task_id = ${id} AND lease_epoch = ${leaseEpoch}`);
  if (head && Number(head.last_seq) === lastSeq) return head.events;
  throw new LeaseLost(id);
}

/**
 * The chunks as rows `c`, and all their data as one value. However many they are, the statement is the same, so that
 * it is prepared once; and the driver, whose buffer grows with each parameter, copies the data once.
 */
function joined(chunks: readonly StoredChunk[]): SQL {
  const column = (of: (chunk: StoredChunk) => number) => `{${chunks.map(of).join(",")}}`;
  const data = Buffer.concat(chunks.map((chunk) => chunk.data)).toString("base64");
  let next = 1;
  const starts = chunks.map((chunk) => {
    const start = next;
    next += chunk.data.length;
    return start;
  });
  return sql`decode(${data}, 'base64') AS joined (data), unnest(
    ${column((c) => c.firstSeq)}::bigint[], ${column((c) => c.lastSeq)}::bigint[],
    ${column((c) => c.counts.stdout)}::integer[], ${column((c) => c.counts.stderr)}::integer[],
    ${column((c) => c.counts.system)}::integer[], ${`{${starts.join(",")}}`}::integer[],
    ${column((c) => c.data.length)}::integer[]) AS c (first_seq, last_seq, stdout, stderr, system, start, size)`;
}

/** Chunks that hold lines from `fromSeq` to `toSeq`, the first ones: at most `limit`. */
export async function readChunks(
  database: Database,
  taskId: string,
  fromSeq: number,
  toSeq: number,
  limit: number,
): Promise<Pick<StoredChunk, "firstSeq" | "lastSeq" | "counts" | "data">[]> {
  const start = sql`coalesce((
    SELECT max(first_seq) FROM log_chunks WHERE task_id = ${taskId} AND first_seq <= ${fromSeq}), ${fromSeq}::bigint)`;
  const rows = await database.run((db) =>
    db
      .select()
      .from(logChunks)
      .where(
        and(
          eq(logChunks.taskId, taskId),
          gte(logChunks.firstSeq, start),
          gte(logChunks.lastSeq, fromSeq),
          lte(logChunks.firstSeq, toSeq),
        ),
      )
      .orderBy(asc(logChunks.firstSeq))
      .limit(limit),
  );
  return rows.map((row) => ({
    firstSeq: row.firstSeq,
    lastSeq: row.lastSeq,
    counts: { stdout: row.stdoutLines, stderr: row.stderrLines, system: row.systemLines },
    data: row.data,
  }));
}

/**
 * Where the last `lines` lines of the given streams begin: the chunk's first number, and how many matching
 * lines of that chunk to skip. Undefined: there are not that many.
 */
export async function findTail(
  database: Database,
  taskId: string,
  lines: number,
  streams: readonly ("stdout" | "stderr" | "system")[],
): Promise<{ firstSeq: number; skip: number } | undefined> {
  const matching = sql.raw(streams.map((stream) => `${stream}_lines`).join(" + "));
  const [row] = await database.run((db) =>
    db.execute<{ first_seq: string; skip: string }>(sql`
      SELECT first_seq, total - ${lines}::bigint AS skip FROM (
        SELECT first_seq, ${matching} AS n, sum(${matching}) OVER (ORDER BY first_seq DESC) AS total
        FROM log_chunks WHERE task_id = ${taskId}) AS t
      WHERE total >= ${lines}::bigint AND total - n < ${lines}::bigint`),
  );
  return row && { firstSeq: Number(row.first_seq), skip: Number(row.skip) };
}
