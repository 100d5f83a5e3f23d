import { compress } from "../logs/compress.ts";
import { openTaskLog } from "../logs/task-log.ts";
import type { Chunk, TaskLog } from "../logs/types.ts";
import type { StoredChunk } from "../store/logs.ts";
import type { Lease } from "../store/moves.ts";
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
  storeChunk(lease: Lease, chunk: StoredChunk): Promise<number>;
}

/** The task's log: each chunk is compressed, stored, and only then shown to the listeners. */
export function openRunLog({ lease, head, listeners, storeChunk }: RunLogOptions): TaskLog {
  let earlier: Promise<unknown> = Promise.resolve();

  async function store(chunk: Chunk): Promise<void> {
    const stored = compressed(chunk);
    // One after the other: a chunk fits only behind the one before it.
    const events = earlier.then(() => storeChunk(lease, stored));
    earlier = events.catch(() => {});
    const count = await events;
    for (const listener of listeners.log) listener(lease.id, chunk, count);
  }

  return openTaskLog({
    sink: { store },
    lastSeq: head.lastSeq,
    offsets: { stdout: head.stdoutOffset, stderr: head.stderrOffset },
    secrets: [],
  });
}

export function compressed(chunk: Chunk): StoredChunk {
  const { firstSeq, lastSeq, counts, offsets, data } = chunk;
  return { firstSeq, lastSeq, counts, offsets, data: compress(data) };
}
