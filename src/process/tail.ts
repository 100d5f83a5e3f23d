import { closeSync, readSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { openRegular } from "../files/regular-file.ts";
import { type Stream, streamPath, streams } from "./spool.ts";
import { tryWatch } from "./watch.ts";

/** Bytes read from one stream. `bytes` is valid until the next iteration; `offset` is the offset of its first byte. */
export interface SpoolRead {
  stream: Stream;
  bytes: Buffer;
  offset: number;
}

export interface TailOptions {
  folder: string;
  /** First offset to read, in bytes of each stream. */
  from: { stdout: number; stderr: number };
  /** Settles when no more will be written; what is there is still read. */
  ended: Promise<unknown>;
  /** Ends the iteration at once, without an error. */
  signal: AbortSignal;
}

// Most programs print little, so the large buffer is made once the small one was full.
const bufferBytes = { few: 16 * 1024, many: 256 * 1024 };
// Reads come from the page cache and are synchronous; after this many the event loop gets its turn.
const readsPerTurn = 8;
// Poll intervals in milliseconds: beside inotify, whose events may be lost, and without it if the system has no
// watches left.
const pollMs = { watched: 250, unwatched: 20 };

/**
 * Reads both streams in turn as they grow, until `ended` has settled and both are read to their end. Pull-based:
 * bytes that the consumer does not ask for stay in the spool.
 * @throws the file system's error; UnusableFileError
 */
export async function* tailSpool({
  folder,
  from,
  ended,
  signal,
}: TailOptions): AsyncGenerator<SpoolRead, void> {
  let buffer = Buffer.allocUnsafe(bufferBytes.few);
  using growth = watchGrowth(folder, ended, signal);
  using files = openStreams(folder, from);
  for (let reads = 0; !signal.aborted; ) {
    const isLast = growth.hasEnded();
    growth.arm();
    let hadBytes = false;
    for (const file of files.all) {
      const length = readSync(file.fd, buffer, 0, buffer.length, file.offset);
      if (length === 0) continue;
      hadBytes = true;
      const offset = file.offset;
      file.offset += length;
      yield { stream: file.stream, bytes: buffer.subarray(0, length), offset };
      if (signal.aborted) return;
      if (length === buffer.length && length < bufferBytes.many)
        buffer = Buffer.allocUnsafe(bufferBytes.many);
      if (++reads % readsPerTurn === 0) await setImmediate();
    }
    if (hadBytes) continue;
    if (isLast) return;
    await growth.changed();
  }
}

function openStreams(folder: string, from: TailOptions["from"]) {
  const all: { stream: Stream; fd: number; offset: number }[] = [];
  const dispose = () => {
    for (const { fd } of all) closeSync(fd);
  };
  try {
    for (const stream of streams) {
      const path = streamPath(folder, stream);
      const fd = openRegular(path);
      if (fd === undefined) throw new Error(`Cannot read the output: there is no ${path}`);
      all.push({ stream, fd, offset: from[stream] });
    }
  } catch (error) {
    dispose();
    throw error;
  }
  return { all, [Symbol.dispose]: dispose };
}

/**
 * Watches for growth: `changed` resolves when a stream may have grown, when `ended` has settled, when the signal
 * aborts, and every 250 ms (20 ms without inotify).
 */
function watchGrowth(folder: string, ended: Promise<unknown>, signal: AbortSignal) {
  let change = Promise.withResolvers<void>();
  let hasEnded = false;
  const notify = () => change.resolve();
  const watcher = tryWatch(folder, (file) => {
    if (file === null || file === "out" || file === "err") notify();
  });
  const end = () => {
    hasEnded = true;
    notify();
  };
  ended.then(end, end);
  signal.addEventListener("abort", notify);
  return {
    hasEnded: () => hasEnded,
    /** From here on every event resolves `changed`, also one that comes before the wait. */
    arm: () => {
      change = Promise.withResolvers<void>();
      if (hasEnded || signal.aborted) notify();
    },
    changed: async () => {
      const poll = setTimeout(notify, watcher ? pollMs.watched : pollMs.unwatched);
      await change.promise;
      clearTimeout(poll);
    },
    [Symbol.dispose]: () => {
      watcher?.close();
      signal.removeEventListener("abort", notify);
    },
  };
}
