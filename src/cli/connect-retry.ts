import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { isUnreachable, retryDelay } from "../client/transient-errors.ts";
import { UsageError } from "./errors.ts";
import { say } from "./terminal/output.ts";

/** How long a server may take to come up. */
const PATIENCE_MS = 10_000;
/** After this long the person learns what is waited for. */
const QUIET_MS = 1000;
const LONGEST_PAUSE_MS = 500;

/** Waiting for a server that may still be starting: one for each call. */
export function startConnectRetry(server: string, signal: AbortSignal | undefined) {
  const started = performance.now();
  const left = () => PATIENCE_MS - (performance.now() - started);
  let failures = 0;
  let reason = "no answer yet";
  const note = setTimeout(() => say(`waiting for ${server}: ${reason}`), QUIET_MS);

  return {
    /** @throws UsageError when the connection has not come in time. */
    async connected(connecting: Promise<void>): Promise<void> {
      const late = Promise.withResolvers<never>();
      const expiry = setTimeout(() => late.reject(unreachable(server, reason)), left());
      await Promise.race([connecting, late.promise]).finally(() => clearTimeout(expiry));
    },
    /** A call has failed. @throws if another one would be no use */
    async wait(error: ConnectError): Promise<void> {
      failures += 1;
      reason = error.rawMessage;
      if (!isUnreachable(error)) throw error;
      const pause = Math.min(retryDelay(error, failures), LONGEST_PAUSE_MS);
      // An ErrorInfo comes from the service itself: it was reached.
      if (left() < pause)
        throw error.findDetails(ErrorInfoSchema).length > 0 ? error : unreachable(server, reason, error);
      await sleep(pause, undefined, { signal });
    },
    [Symbol.dispose]: () => clearTimeout(note),
  };
}

function unreachable(server: string, reason: string, cause?: unknown): UsageError {
  const advice = "Start one with `signalman serve`, or name another with --server or SIGNALMAN_SERVER";
  return new UsageError([`cannot reach ${server}: ${reason}`, advice], { cause });
}
