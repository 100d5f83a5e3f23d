import type { LogStreamName } from "./types.ts";
import { TAG, varintLength, writeVarint } from "./wire.ts";

/** Numbers of the enum LogStream in the contract. */
export const STREAM_NUMBERS: Record<LogStreamName, number> = { stdout: 1, stderr: 2, system: 3 };
/** Names by number: the inverse of STREAM_NUMBERS. */
export const STREAM_NAMES: readonly (LogStreamName | undefined)[] = [undefined, "stdout", "stderr", "system"];

/**
 * Encodes the fields that all lines of one write share: time and stream, then the tag of content. They follow a
 * line's seq in this order. `ms`: milliseconds since 1970.
 */
export function encodeStamp(stream: number, ms: number): Buffer {
  const seconds = Math.floor(ms / 1000);
  const nanos = Math.floor((ms - seconds * 1000) * 1e6);
  const time = 2 + varintLength(seconds) + varintLength(nanos);
  const stamp = Buffer.allocUnsafe(2 + time + 3);
  stamp[0] = TAG.lineTime;
  stamp[1] = time;
  stamp[2] = TAG.seconds;
  let at = writeVarint(stamp, 3, seconds);
  stamp[at++] = TAG.nanos;
  at = writeVarint(stamp, at, nanos);
  stamp[at++] = TAG.lineStream;
  stamp[at++] = stream;
  stamp[at] = TAG.lineContent;
  return stamp;
}
