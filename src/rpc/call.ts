import type { HandlerContext } from "@connectrpc/connect";
import type { Caller } from "../task/caller.ts";
import { callerKey, requestIdKey } from "./interceptors/context.ts";

/** Facts about a call that handlers need besides its request. */
export interface Call {
  caller: Caller;
  /** Id of the call in the server's log. */
  requestId: string;
  /** Aborted when the caller ends the call, its deadline passes, or the server shuts down. */
  signal: AbortSignal;
  /** Whether the response is encoded as JSON. */
  isJson: boolean;
  /** The caller may do this only to what it has created. */
  isOwn: boolean;
}

/** Returns the fields of the operator's log that name the caller and the call. */
export const callFields = ({ caller, requestId }: Call) => ({ by: caller.name, requestId });

export function callOf(context: HandlerContext): Omit<Call, "isOwn"> {
  return {
    caller: context.values.get(callerKey),
    requestId: context.values.get(requestIdKey),
    signal: context.signal,
    // Matches `application/json`, `application/connect+json` and `application/grpc-web+json`.
    isJson: /[+/]json\b/.test(context.requestHeader.get("content-type") ?? ""),
  };
}
