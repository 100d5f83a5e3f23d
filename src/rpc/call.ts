import type { HandlerContext } from "@connectrpc/connect";
import type { Observation } from "../access/callers.ts";
import type { Actor, Caller } from "../task/caller.ts";
import { callerKey, peerKey, requestIdKey } from "./interceptors/context.ts";

/** Facts about a call that handlers need besides its request. */
export interface Call {
  caller: Caller;
  /** Id of the call in the server's log. */
  requestId: string;
  /** Aborted when the caller ends the call, its deadline passes, or the server shuts down. */
  signal: AbortSignal;
  /** Whether the response is encoded as JSON. */
  isJson: boolean;
  /** Address and port of the caller. */
  peer: string;
  /** The caller may do this only to resources that it created itself. */
  isOwn: boolean;
  /** Caller, method and fields, for the audit event of a change. */
  actor: Actor;
  /**
   * Returns a signal for a call that takes long: it aborts as `signal` does, and with a Failure when the caller's token or right
   * is gone. That of a stream does so already.
   */
  observe(): Observation;
}

/** Facts about a call that is not authorized yet. */
export type Incoming = Omit<Call, "isOwn" | "actor" | "observe">;

/** Returns the fields of the operator's log that name the caller and the call. */
export const callFields = ({ caller, requestId }: Call) => ({ by: caller.name, requestId });

export function callOf(context: HandlerContext): Incoming {
  return {
    caller: context.values.get(callerKey),
    requestId: context.values.get(requestIdKey),
    peer: context.values.get(peerKey),
    signal: context.signal,
    // Matches `application/json`, `application/connect+json` and `application/grpc-web+json`.
    isJson: /[+/]json\b/.test(context.requestHeader.get("content-type") ?? ""),
  };
}
