import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { isUnreachable, retryDelay } from "../client/transient-errors.ts";
import { UsageError } from "./errors.ts";
import { say } from "./terminal/output.ts";

/** Longest wait for a server that is starting. */
const PATIENCE_MS = 10_000;
/** Time after which a message says which server the command waits for. */
const QUIET_MS = 1000;
const LONGEST_PAUSE_MS = 500;

/** Retries one call while its server may still be starting. */
export function startConnectRetry(server: string, signal: AbortSignal | undefined) {
  const started = performance.now();
  const left = () => PATIENCE_MS - (performance.now() - started);
  let failures = 0;
  let reason = "no answer yet";
  const note = setTimeout(() => say(`waiting for ${server}: ${reason}`), QUIET_MS);

  return {
    /** Waits until the connection is open. @throws UsageError if it is not within 10 s */
    async connected(connecting: Promise<void>): Promise<void> {
      const late = Promise.withResolvers<never>();
      const expiry = setTimeout(() => late.reject(unreachable(server, reason)), left());
      await Promise.race([connecting, late.promise]).finally(() => clearTimeout(expiry));
    },
    /** Waits before the next try of a failed call. @throws if a retry would not help or no time is left */
    async wait(error: ConnectError): Promise<void> {
      failures += 1;
      reason = error.rawMessage;
      if (isUntrusted(error)) throw untrusted(server, reason, error);
      if (!isUnreachable(error)) throw error;
      const pause = Math.min(retryDelay(error, failures), LONGEST_PAUSE_MS);
      // An ErrorInfo comes from the service, so the server was reached.
      if (left() < pause)
        throw error.findDetails(ErrorInfoSchema).length > 0 ? error : unreachable(server, reason, error);
      await sleep(pause, undefined, { signal });
    },
    [Symbol.dispose]: () => clearTimeout(note),
  };
}

/** True if the certificate of a server with TLS was refused, which no retry changes. */
function isUntrusted({ cause }: ConnectError): boolean {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return /CERT|SIGNATURE|ISSUER/.test(code);
}

function untrusted(server: string, reason: string, cause: unknown): UsageError {
  const advice =
    "name the certificate of its authority in --ca-file or SIGNALMAN_CA_FILE, or call it by the name that it has";
  return new UsageError([`cannot trust ${server}: ${reason}`, advice], { cause });
}

function unreachable(server: string, reason: string, cause?: unknown): UsageError {
  const advice =
    "start a server with `signalman serve`, or name another one with --server or SIGNALMAN_SERVER";
  return new UsageError([`cannot reach ${server}: ${reason}`, advice], { cause });
}
