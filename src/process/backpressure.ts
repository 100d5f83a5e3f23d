import { lstatSync } from "node:fs";
import type { RunningProcess } from "./process.ts";
import { streamPath, streams } from "./spool.ts";

/** Unread bytes: above `hold` writers are stopped, below `letGo` they go on, between the two nothing changes. */
export const backlog = { hold: 64 * 1024 * 1024, letGo: 16 * 1024 * 1024 };

const checkMs = 50;

/** Returns whether writers must be held back, given whether they are held now and the number of unread bytes. */
export function shouldHold(isHeld: boolean, unread: number): boolean {
  return isHeld ? unread >= backlog.letGo : unread > backlog.hold;
}

/** Returns the number of bytes in the spool beyond the reader's offsets, both streams together. */
export function unreadBytes(folder: string, read: { stdout: number; stderr: number }): number {
  let unread = 0;
  for (const stream of streams) unread += lstatSync(streamPath(folder, stream)).size - read[stream];
  return unread;
}

/**
 * Pauses a program while the reader of its output is too far behind. Checks every 50 ms, since a reader that is stuck
 * makes no calls; a check is two stats, about 10 µs. Ends with `dispose`, or when the spool is gone.
 */
export function keepBackpressure(options: {
  folder: string;
  pumps: Pick<RunningProcess, "pause" | "resume">;
  /** Returns the reader's offsets, in bytes of each stream. */
  read: () => { stdout: number; stderr: number };
}): Disposable {
  let isHeld = false;
  const timer = setInterval(() => {
    const before = isHeld;
    try {
      isHeld = shouldHold(isHeld, unreadBytes(options.folder, options.read()));
    } catch {
      return clearInterval(timer); // the folder was removed, so no program writes
    }
    if (isHeld !== before) options.pumps[isHeld ? "pause" : "resume"]();
  }, checkMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
