import { setTimeout as sleep } from "node:timers/promises";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { DurationSchema, durationMs } from "@bufbuild/protobuf/wkt";
import type { ConnectError } from "@connectrpc/connect";
import { guarded } from "./silence.ts";
import { isExpired, mayPass, retryDelay } from "./transient-errors.ts";

export interface ReconnectOptions {
  /** Ends the watch: the generator throws the signal's reason. */
  signal?: AbortSignal;
  /**
   * Called when the stream ended, `delayMs` before it is opened again. `attempt` counts from 1 since the last new event.
   * `isRoutine`: nothing is wrong; servers end every stream when it has reached its greatest age.
   */
  onReconnect?(broken: { error: ConnectError; attempt: number; delayMs: number; isRoutine: boolean }): void;
  /** Longest time, in milliseconds, without a new event before the watch throws the last error. Default: unlimited. */
  giveUpAfterMs?: number;
  /** Longest silence, in milliseconds, before the stream counts as broken. Default: the heartbeat interval and 10 s. */
  silenceMs?: number;
}

const DEFAULT_HEARTBEAT_MS = 15_000;
/** Delay after which a heartbeat counts as missing. */
const LATENESS_MS = 10_000;

/** Reads a stream with heartbeats. @throws ConnectError with UNAVAILABLE if they stop */
export function openStream<T>(
  open: (signal: AbortSignal) => AsyncIterable<T>,
  heartbeatInterval: MessageInitShape<typeof DurationSchema> | undefined,
  { signal, silenceMs }: ReconnectOptions,
): AsyncGenerator<T> {
  const heartbeatMs = heartbeatInterval
    ? durationMs(create(DurationSchema, heartbeatInterval))
    : DEFAULT_HEARTBEAT_MS;
  return guarded(open, silenceMs ?? heartbeatMs + LATENESS_MS, signal);
}

/** Counts failed tries since the last new event, and waits before the next one. */
export function countTrouble({
  signal,
  onReconnect,
  giveUpAfterMs = Number.POSITIVE_INFINITY,
}: ReconnectOptions) {
  let failures = 0;
  let since: number | undefined = performance.now();
  return {
    /** Resets the count after a new event. */
    over(): void {
      failures = 0;
      since = undefined;
    },
    /** Waits before the next try. @throws the error if a retry would not help or the time to give up has come */
    async wait(error: ConnectError): Promise<void> {
      since ??= performance.now();
      failures += 1;
      const delayMs = retryDelay(error, failures);
      if (!mayPass(error) || performance.now() + delayMs - since > giveUpAfterMs) throw error;
      onReconnect?.({ error, attempt: failures, delayMs, isRoutine: isExpired(error) });
      await sleep(delayMs, undefined, { signal }).catch(() => signal?.throwIfAborted());
    },
  };
}
