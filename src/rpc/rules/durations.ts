import type { Duration } from "@bufbuild/protobuf/wkt";
import { z } from "zod";
import { type Breach, ruleAt } from "./rule.ts";

const SECOND = 1_000_000_000n;
const TEN_YEARS = 315_360_000n * SECOND;

export const timeout = () => duration("from 1 second", SECOND, TEN_YEARS, "at most 10 years, 315360000s");
export const gracePeriod = () => duration("0 to 10 minutes", 0n, 600n * SECOND);
export const waitTime = () => duration("0 to 1 hour", 0n, 3600n * SECOND);
export const heartbeat = () => duration("1 to 60 seconds", SECOND, 60n * SECOND);

/** Requires a duration from `min` to `max` nanoseconds. An unset duration passes. */
function duration(says: string, min: bigint, max: bigint, hint?: string) {
  const breaches = (value: Duration | undefined): Breach[] => {
    if (value === undefined) return [];
    if (!isProper(value)) return [{ path: [], got: `${value.seconds} s with ${value.nanos} ns` }];
    const nanos = value.seconds * SECOND + BigInt(value.nanos);
    return nanos >= min && nanos <= max ? [] : [{ path: [], got: secondsText(nanos) }];
  };
  return ruleAt(z.custom<Duration | undefined>(), says, breaches, hint);
}

/** True if the nanoseconds are less than a second and have the sign of the seconds (google/protobuf/duration.proto). */
function isProper({ seconds, nanos }: Duration): boolean {
  const agree = seconds === 0n || nanos === 0 || seconds < 0n === nanos < 0;
  return agree && Math.abs(nanos) < 1_000_000_000;
}

/** Returns the JSON form of a duration, such as `1.5s`. */
function secondsText(nanos: bigint): string {
  const size = nanos < 0n ? -nanos : nanos;
  const fraction = String(size % SECOND)
    .padStart(9, "0")
    .replace(/0+$/, "");
  return `${nanos < 0n ? "-" : ""}${size / SECOND}${fraction && `.${fraction}`}s`;
}
