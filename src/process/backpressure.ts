import { lstatSync } from "node:fs";
import type { RunningProcess } from "./process.ts";
import { streamPath, streams } from "./spool.ts";

/** Bytes. Between the two nothing changes. */
export const backlog = { hold: 64 * 1024 * 1024, letGo: 16 * 1024 * 1024 };

const checkMs = 50;

/** Whether writers should be held back, from whether they are and how many bytes nobody has read yet. */
export function shouldHold(isHeld: boolean, unread: number): boolean {
  return isHeld ? unread >= backlog.letGo : unread > backlog.hold;
}

/** Bytes in the spool beyond the reader's offsets, sum of both streams. */
export function unreadBytes(folder: string, read: { stdout: number; stderr: number }): number {
  let unread = 0;
  for (const stream of streams) unread += lstatSync(streamPath(folder, stream)).size - read[stream];
  return unread;
}

/**
 * Holds a process back while its reader is too far behind. Looks every 50 ms, since a reader that is stuck asks for
 * nothing; two stats, about 10 µs. Ends with `dispose`, or when the spool is gone.
 */
export function keepBackpressure(options: {
  folder: string;
  pumps: Pick<RunningProcess, "pause" | "resume">;
  /** How far the consumer has got, by stream. */
  read: () => { stdout: number; stderr: number };
}): Disposable {
  let isHeld = false;
  const timer = setInterval(() => {
    const before = isHeld;
    try {
      isHeld = shouldHold(isHeld, unreadBytes(options.folder, options.read()));
    } catch {
      return clearInterval(timer); // the folder was removed: nobody writes any more
    }
    if (isHeld !== before) options.pumps[isHeld ? "pause" : "resume"]();
  }, checkMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
