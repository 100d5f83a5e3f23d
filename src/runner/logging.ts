import { compress } from "../logs/compress.ts";
import { openTaskLog } from "../logs/task-log.ts";
import type { Chunk, TaskLog } from "../logs/types.ts";
import type { StoredChunk } from "../store/logs/logs.ts";
import type { Lease } from "../store/tasks/moves.ts";
import type { Status } from "../task/status.ts";
import type { LogHead } from "../task/types.ts";

/** Hears of every committed change of status. */
export type StatusListener = (taskId: string, status: Status) => void;
/** Hears of every committed chunk of lines; `events` of the task's status events come before it. */
export type LogListener = (taskId: string, chunk: Chunk, events: number) => void;

/** Who wants to know; told in order, after the commit. They neither wait nor throw. */
export interface Listeners {
  status: readonly StatusListener[];
  log: readonly LogListener[];
}

export interface RunLogOptions {
  lease: Lease;
  head: LogHead;
  listeners: Listeners;
  /** Resolves to the number of the task's events so far; tries until it is done. */
  storeChunks(lease: Lease, chunks: readonly [StoredChunk, ...StoredChunk[]]): Promise<number>;
}

/** How many chunks of one task may be on their way: one commit takes all that wait for it. */
const DEPTH = 16;

/** The task's log: each chunk is compressed, stored, and only then shown to the listeners. */
export function openRunLog({ lease, head, listeners, storeChunks }: RunLogOptions): TaskLog {
  const waiting: Waiting[] = [];
  let isStoring = false;

  /** One commit after the other, since a chunk fits only behind the one before it. */
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

/** All that wait, which is then nobody. */
function take(waiting: Waiting[]): [Waiting, ...Waiting[]] | undefined {
  const [first, ...rest] = waiting.splice(0);
  return first && [first, ...rest];
}

export function compressed(chunk: Chunk): StoredChunk {
  const { firstSeq, lastSeq, counts, offsets, data } = chunk;
  return { firstSeq, lastSeq, counts, offsets, data: compress(data) };
}
