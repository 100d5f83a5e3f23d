import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Task } from "../../../gen/signalman/v1/task_pb.ts";

/** Duration as a running clock: `0:07`, `12:05`, `1:02:03`. */
export function clock(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, i) => (i === 0 ? String(part) : String(part).padStart(2, "0"))).join(":");
}

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
] as const;

/** Duration in its largest unit: `7s`, `3m`, `2h`, `4d`. */
export function rough(ms: number): string {
  const unit = UNITS.find(([, length]) => ms >= length);
  return unit ? `${Math.floor(ms / unit[1])}${unit[0]}` : `${Math.max(0, Math.floor(ms / 1000))}s`;
}

/** Duration in tenths of a second below one minute (`12.3 s`), above it as a clock. */
export function duration(ms: number): string {
  return ms < 60_000 ? `${(Math.max(0, ms) / 1000).toFixed(1)} s` : clock(ms);
}

/** Milliseconds that a task's program ran or has run so far; undefined if it has not started. */
export function runningMs({ startTime, end }: Pick<Task, "startTime" | "end">): number | undefined {
  return startTime && since(startTime, end?.time);
}

/** Milliseconds from one time to another, or to now. */
export function since(from: Timestamp, to?: Timestamp): number {
  return (to ? timestampMs(to) : Date.now()) - timestampMs(from);
}
