import type { HandlerContext } from "@connectrpc/connect";
import type { Caller } from "../task/caller.ts";
import { callerKey, requestIdKey } from "./interceptors/context.ts";

/** What a handler knows of the call besides its request. */
export interface Call {
  caller: Caller;
  /** The id under which the server's log knows the call. */
  requestId: string;
  /** Aborted when the caller leaves, its deadline passes, or the server shuts down. */
  signal: AbortSignal;
  /** The answer is written as JSON. */
  isJson: boolean;
}

/** Who called, for the operator's log. */
export const whoOf = ({ caller, requestId }: Call) => ({ by: caller.name, requestId });

export function callOf(context: HandlerContext): Call {
  return {
    caller: context.values.get(callerKey),
    requestId: context.values.get(requestIdKey),
    signal: context.signal,
    // Only the codec's name tells: `application/json`, `application/connect+json`, `application/grpc-web+json`.
    isJson: /[+/]json\b/.test(context.requestHeader.get("content-type") ?? ""),
  };
}
