import type { ConnectError } from "@connectrpc/connect";
import { shuttingDown } from "../rpc/errors/errors.ts";

/** Running call. The owner disposes of it once the response is sent. */
export interface Call extends Disposable {
  /** Aborted with the reason of the caller's signal, or, at shutdown, with UNAVAILABLE and RetryInfo. */
  readonly signal: AbortSignal;
  /** Aborts the call with this reason, which the caller gets as the error. */
  end(reason: ConnectError): void;
}

/** Opens a call whose signal follows the caller's signal and the shutdown. */
export type OpenCall = (caller: AbortSignal) => Call;

/**
 * Aborts all running calls at shutdown, with one listener for all of them. With one listener per call, as for Connect's
 * `shutdownSignal`, thousands of streams slow the server down, since adding or removing a listener of an AbortSignal walks
 * through all its listeners.
 */
export function trackCalls(shutdown: AbortSignal): OpenCall {
  const open = new Set<AbortController>();
  const abortAll = (): void => {
    for (const controller of open) controller.abort(shuttingDown());
  };
  shutdown.addEventListener("abort", abortAll, { once: true });
  return (caller) => {
    const controller = new AbortController();
    const leave = (): void => controller.abort(caller.reason);
    if (shutdown.aborted) controller.abort(shuttingDown());
    if (caller.aborted) leave();
    caller.addEventListener("abort", leave, { once: true });
    open.add(controller);
    return {
      signal: controller.signal,
      end: (reason) => controller.abort(reason),
      [Symbol.dispose]() {
        open.delete(controller);
        caller.removeEventListener("abort", leave);
      },
    };
  };
}
