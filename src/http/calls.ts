import { shuttingDown } from "../rpc/errors/errors.ts";

/** A call under way. Disposed of when it has been answered. */
export interface Call extends Disposable {
  /** Aborted when the caller leaves, for the caller's reason, and when the server shuts down: UNAVAILABLE with RetryInfo. */
  readonly signal: AbortSignal;
}

/** Opens calls whose signals follow `shutdown` too. */
export type OpenCall = (caller: AbortSignal) => Call;

/**
 * One listener for all calls: with one for each, as Connect's `shutdownSignal` has it, thousands of streams make the
 * server slow, since an AbortSignal goes through all its listeners whenever one comes or goes.
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
      [Symbol.dispose]() {
        open.delete(controller);
        caller.removeEventListener("abort", leave);
      },
    };
  };
}
