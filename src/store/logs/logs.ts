import { and, asc, eq, gte, lte, sql } from "drizzle-orm";
import { LeaseLostError } from "../../task/errors.ts";
import type { TaskRecord } from "../../task/types.ts";
import type { Database, Queryable } from "../postgres/database.ts";
import { statement } from "../postgres/statement.ts";
import { type lateChunks, logChunks } from "../schema/tasks.ts";

/** A stored chunk: consecutive lines, compressed. */
export interface StoredChunk {
  firstSeq: number;
  lastSeq: number;
  counts: { stdout: number; stderr: number; system: number };
  /** Raw bytes of each stream that this and all earlier chunks cover. */
  offsets: { stdout: number; stderr: number };
  data: Buffer;
}

/**
 * Moves the log's head forward and inserts consecutive chunks, in one statement. Chunks that an earlier attempt of
 * unknown outcome has stored are left as they are. Returns the number of the task's events before these lines.
 * @throws LeaseLostError if the head is elsewhere: another server writes this log now.
 */
export async function storeChunks(
  db: Queryable,
  { id, leaseEpoch }: Pick<TaskRecord, "id" | "leaseEpoch">,
  chunks: readonly [StoredChunk, ...StoredChunk[]],
): Promise<number> {
  const { firstSeq } = chunks[0];
  const { lastSeq, offsets } = chunks.at(-1) ?? chunks[0];
  const [stored] = await append(db, {
    id,
    leaseEpoch,
    before: firstSeq - 1,
    lastSeq,
    ...offsets,
    ...joined(chunks),
  });
  if (stored) return stored.events;
  const [head] = await db.execute<{ events: number; last_seq: string }>(sql`
    SELECT events, last_seq FROM task_heads WHERE task_id = ${id} AND lease_epoch = ${leaseEpoch}`);
  if (head && Number(head.last_seq) === lastSeq) return head.events;
  throw new LeaseLostError(id);
}

const append = statement<Appended, { events: number }>(
  (at) => sql`
    WITH head AS (
      UPDATE task_heads
      SET last_seq = ${at.lastSeq}, stdout_offset = ${at.stdout}, stderr_offset = ${at.stderr},
          log_bytes = log_bytes + ${at.bytes}
      WHERE task_id = ${at.id} AND lease_epoch = ${at.leaseEpoch} AND last_seq = ${at.before}
      RETURNING events),
    chunk AS (
      INSERT INTO log_chunks (task_id, first_seq, last_seq, stdout_lines, stderr_lines, system_lines, data)
      SELECT ${at.id}::uuid, c.first_seq, c.last_seq, c.stdout, c.stderr, c.system,
             substring(joined.data FROM c.start FOR c.size)
      FROM head, decode(${at.data}, 'base64') AS joined (data), unnest(
        ${at.firsts}::bigint[], ${at.lasts}::bigint[], ${at.stdouts}::integer[], ${at.stderrs}::integer[],
        ${at.systems}::integer[], ${at.starts}::integer[], ${at.sizes}::integer[]
      ) AS c (first_seq, last_seq, stdout, stderr, system, start, size))
    SELECT events FROM head`,
);

interface Appended extends Joined {
  id: string;
  leaseEpoch: number;
  /** The last line number before and after the chunks, and the offsets after them. */
  before: number;
  lastSeq: number;
  stdout: number;
  stderr: number;
}

type Joined = ReturnType<typeof joined>;

/**
 * Returns the chunks as one array for each column, and their data as one value. So one prepared statement serves any
 * number of chunks, and the driver, whose buffer grows with each parameter, copies the data once.
 */
function joined(chunks: readonly StoredChunk[]) {
  const column = (of: (chunk: StoredChunk) => number) => `{${chunks.map(of).join(",")}}`;
  let bytes = 0;
  const starts = chunks.map(({ data }) => {
    bytes += data.length;
    return 1 + bytes - data.length;
  });
  return {
    bytes,
    data: Buffer.concat(chunks.map((chunk) => chunk.data)).toString("base64"),
    firsts: column((c) => c.firstSeq),
    lasts: column((c) => c.lastSeq),
    stdouts: column((c) => c.counts.stdout),
    stderrs: column((c) => c.counts.stderr),
    systems: column((c) => c.counts.system),
    starts: `{${starts.join(",")}}`,
    sizes: column((c) => c.data.length),
  };
}

/** Tables of lines: a task's log, or its late lines. */
export type ChunkTable = typeof logChunks | typeof lateChunks;

/** Returns the first chunks, at most `limit`, that hold lines from `fromSeq` to `toSeq`. */
export async function readChunks(
  database: Database,
  taskId: string,
  fromSeq: number,
  toSeq: number,
  limit: number,
  table: ChunkTable = logChunks,
): Promise<Pick<StoredChunk, "firstSeq" | "lastSeq" | "counts" | "data">[]> {
  const start = sql`coalesce((
    SELECT max(first_seq) FROM ${table} WHERE task_id = ${taskId} AND first_seq <= ${fromSeq}), ${fromSeq}::bigint)`;
  const rows = await database.run((db) =>
    db
      .select()
      .from(table)
      .where(
        and(
          eq(table.taskId, taskId),
          gte(table.firstSeq, start),
          gte(table.lastSeq, fromSeq),
          lte(table.firstSeq, toSeq),
        ),
      )
      .orderBy(asc(table.firstSeq))
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
 * Finds the beginning of the last `lines` lines of the given streams: the first line number of a chunk, and how many
 * matching lines of that chunk to skip. Undefined if there are fewer lines.
 */
export async function findTail(
  database: Database,
  taskId: string,
  lines: number,
  streams: readonly ("stdout" | "stderr" | "system")[],
  table: ChunkTable = logChunks,
): Promise<{ firstSeq: number; skip: number } | undefined> {
  const matching = sql.raw(streams.map((stream) => `${stream}_lines`).join(" + "));
  const [row] = await database.run((db) =>
    db.execute<{ first_seq: string; skip: string }>(sql`
      SELECT first_seq, total - ${lines}::bigint AS skip FROM (
        SELECT first_seq, ${matching} AS n, sum(${matching}) OVER (ORDER BY first_seq DESC) AS total
        FROM ${table} WHERE task_id = ${taskId}) AS t
      WHERE total >= ${lines}::bigint AND total - n < ${lines}::bigint`),
  );
  return row && { firstSeq: Number(row.first_seq), skip: Number(row.skip) };
}
