import { closeSync, readSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { openRegular } from "../files/regular-file.ts";
import { type Stream, streamPath, streams } from "./spool.ts";
import { tryWatch } from "./watch.ts";

/** A piece of one stream. `bytes` is valid until the next iteration; `offset` is that of its first byte. */
export interface SpoolRead {
  stream: Stream;
  bytes: Buffer;
  offset: number;
}

export interface TailOptions {
  folder: string;
  /** Where to begin, in bytes of each stream. */
  from: { stdout: number; stderr: number };
  /** Settled: nothing more will be written. What is there is still read. */
  ended: Promise<unknown>;
  /** Ends the iteration at once, without an error. */
  signal: AbortSignal;
}

// Most programs print little: the larger one is made when the smaller one was full.
const bufferBytes = { few: 16 * 1024, many: 256 * 1024 };
// Reads come from the page cache and are synchronous; after so many the event loop gets its turn.
const readsPerTurn = 8;
// Behind inotify, whose events may be lost; alone where there are no watches left.
const pollMs = { watched: 250, unwatched: 20 };

/**
 * Reads both streams as they grow, in turn, until `ended` has settled and both are read to their end. Pull-based: a
 * consumer that does not ask leaves the bytes in the spool. Throws what the file system throws, and UnusableFileError.
 */
export async function* tailSpool({
  folder,
  from,
  ended,
  signal,
}: TailOptions): AsyncGenerator<SpoolRead, void> {
  let buffer = Buffer.allocUnsafe(bufferBytes.few);
  using bell = createBell(folder, ended, signal);
  using files = openStreams(folder, from);
  for (let reads = 0; !signal.aborted; ) {
    const isLast = bell.hasEnded();
    bell.arm();
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
    await bell.rung();
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
      if (fd === undefined) throw new Error(`there is no ${path}`);
      all.push({ stream, fd, offset: from[stream] });
    }
  } catch (error) {
    dispose();
    throw error;
  }
  return { all, [Symbol.dispose]: dispose };
}

/** Rings when a stream may have grown, when the end has come, when the signal aborts, and every 250 ms. */
function createBell(folder: string, ended: Promise<unknown>, signal: AbortSignal) {
  let rung = Promise.withResolvers<void>();
  let hasEnded = false;
  const ring = () => rung.resolve();
  const watcher = tryWatch(folder, (file) => {
    if (file === null || file === "out" || file === "err") ring();
  });
  const end = () => {
    hasEnded = true;
    ring();
  };
  ended.then(end, end);
  signal.addEventListener("abort", ring);
  return {
    hasEnded: () => hasEnded,
    /** What rings from here on is heard. */
    arm: () => {
      rung = Promise.withResolvers<void>();
      if (hasEnded || signal.aborted) ring();
    },
    rung: async () => {
      const poll = setTimeout(ring, watcher ? pollMs.watched : pollMs.unwatched);
      await rung.promise;
      clearTimeout(poll);
    },
    [Symbol.dispose]: () => {
      watcher?.close();
      signal.removeEventListener("abort", ring);
    },
  };
}
