import type { Duration } from "@bufbuild/protobuf/wkt";
import { msFromDuration } from "../../task/duration.ts";

const DEFAULT_HEARTBEAT_MS = 15_000;

/** Measures the time since the last message to a watcher. It compares counts of messages, since many events send none. */
export function startHeartbeat(messages: { readonly made: number }, interval: Duration | undefined) {
  const everyMs = msFromDuration(interval) ?? DEFAULT_HEARTBEAT_MS;
  let heard = messages.made;
  let since = performance.now();
  return {
    /** Milliseconds until the next heartbeat is due. */
    leftMs(): number {
      if (messages.made !== heard) since = performance.now();
      heard = messages.made;
      return Math.max(0, since + everyMs - performance.now());
    },
  };
}
