import { compress } from "../logs/compress.ts";
import { openTaskLog } from "../logs/task-log.ts";
import type { Chunk, TaskLog } from "../logs/types.ts";
import type { StoredChunk } from "../store/logs/logs.ts";
import type { Lease } from "../store/tasks/transitions.ts";
import type { Status } from "../task/status.ts";
import type { LogHead } from "../task/types.ts";

/** Called after every committed change of a task's status. */
export type StatusListener = (taskId: string, status: Status) => void;
/** Called after every committed chunk of lines; `events`: number of the task's status events that precede the chunk. */
export type LogListener = (taskId: string, chunk: Chunk, events: number) => void;

/** Functions that are called in order after each commit. They return at once and throw nothing. */
export interface Listeners {
  status: readonly StatusListener[];
  log: readonly LogListener[];
}

export interface RunLogOptions {
  lease: Lease;
  head: LogHead;
  listeners: Listeners;
  /** Stores chunks, retrying while the database is away. Resolves to the number of the task's status events so far. */
  storeChunks(lease: Lease, chunks: readonly [StoredChunk, ...StoredChunk[]]): Promise<number>;
}

/** Number of chunks of one task that may wait to be stored; one commit stores all that wait. */
const DEPTH = 16;

/** Opens the log of a run: each chunk is compressed, stored, and then passed to the listeners. */
export function openRunLog({ lease, head, listeners, storeChunks }: RunLogOptions): TaskLog {
  const waiting: Waiting[] = [];
  let isStoring = false;

  /** Stores the queued chunks with one commit at a time, since each chunk continues the one before it. */
  async function storeWaiting(): Promise<void> {
    isStoring = true;
    for (let batch = take(waiting); batch; batch = take(waiting)) {
      const [first, ...rest] = batch;
      try {
        const events = await storeChunks(lease, [first.stored, ...rest.map(({ stored }) => stored)]);
        for (const { chunk, resolve } of batch) {
          for (const listener of listeners.log) listener(lease.id, chunk, events);
          resolve();
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    isStoring = false;
  }

  function store(chunk: Chunk): Promise<void> {
    return new Promise((resolve, reject) => {
      waiting.push({ chunk, stored: compressed(chunk), resolve, reject });
      if (!isStoring) void storeWaiting();
    });
  }

  return openTaskLog({
    sink: { store },
    lastSeq: head.lastSeq,
    offsets: { stdout: head.stdoutOffset, stderr: head.stderrOffset },
    secrets: [],
    depth: DEPTH,
  });
}

interface Waiting {
  chunk: Chunk;
  stored: StoredChunk;
  resolve(): void;
  reject(error: unknown): void;
}

/** Removes and returns all queued chunks; undefined if there are none. */
function take(waiting: Waiting[]): [Waiting, ...Waiting[]] | undefined {
  const [first, ...rest] = waiting.splice(0);
  return first && [first, ...rest];
}

export function compressed(chunk: Chunk): StoredChunk {
  const { firstSeq, lastSeq, counts, offsets, data } = chunk;
  return { firstSeq, lastSeq, counts, offsets, data: compress(data) };
}
