import { setTimeout as sleep } from "node:timers/promises";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { DurationSchema, durationMs } from "@bufbuild/protobuf/wkt";
import type { ConnectError } from "@connectrpc/connect";
import { guarded } from "./silence.ts";
import { mayPass, retryDelay } from "./transient-errors.ts";

export interface ReconnectOptions {
  /** Ends the watch: the generator throws the signal's reason. */
  signal?: AbortSignal;
  /** The stream broke and is opened again in `delayMs`; `attempt` counts from 1 since something last came through. */
  onReconnect?(broken: { error: ConnectError; attempt: number; delayMs: number }): void;
  /** Gives up, with the last error, when nothing has come through for this long. Default: never. */
  giveUpAfterMs?: number;
  /** Longest silence, in milliseconds, before the stream counts as broken. Default: 10 s more than the heartbeats' interval. */
  silenceMs?: number;
}

const DEFAULT_HEARTBEAT_MS = 15_000;
/** A heartbeat that is this late does not come. */
const LATENESS_MS = 10_000;

/** A stream with heartbeats; UNAVAILABLE if they do not come. */
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

/** What is between a break and the next event. */
export function countTrouble({
  signal,
  onReconnect,
  giveUpAfterMs = Number.POSITIVE_INFINITY,
}: ReconnectOptions) {
  let failures = 0;
  let since: number | undefined = performance.now();
  return {
    /** Something came through. */
    over(): void {
      failures = 0;
      since = undefined;
    },
    async wait(error: ConnectError): Promise<void> {
      since ??= performance.now();
      failures += 1;
      const delayMs = retryDelay(error, failures);
      if (!mayPass(error) || performance.now() + delayMs - since > giveUpAfterMs) throw error;
      onReconnect?.({ error, attempt: failures, delayMs });
      await sleep(delayMs, undefined, { signal }).catch(() => signal?.throwIfAborted());
    },
  };
}
