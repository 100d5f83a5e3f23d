import type { DescMethod } from "@bufbuild/protobuf";
import type { Observation } from "../access/callers.ts";
import { keepsScopes, mayAt } from "../access/rights.ts";
import type { Caller } from "../task/caller.ts";
import { type AuthorizeDeps, authorize, type Permitted } from "./authorize.ts";
import type { Call } from "./call.ts";
import { ruleOf } from "./permissions.ts";

export interface GuardDeps extends AuthorizeDeps {
  /** Watches the token and the rights of a caller (access/callers.ts). */
  observe(caller: Caller, isAllowed: (now: Caller) => boolean): Observation;
}

type Handle = (request: unknown, call: Call) => unknown;

/** Returns a handler that runs only for permitted callers. */
export function guarded(
  deps: GuardDeps,
  method: DescMethod,
  handle: Handle,
): (request: unknown, call: Omit<Call, "isOwn">) => unknown {
  if (method.methodKind === "unary")
    return async (request, call) => {
      const { isOwn } = await authorize(deps, method, request, call.caller);
      return handle(request, { ...call, isOwn });
    };
  return async function* (request, call) {
    const permitted = await authorize(deps, method, request, call.caller);
    using observation = deps.observe(call.caller, (now) => keeps(method, permitted, call.caller, now));
    const signal = AbortSignal.any([call.signal, observation.signal]);
    yield* handle(request, { ...call, signal, isOwn: permitted.isOwn }) as AsyncIterable<unknown>;
  };
}

/** Tells whether a caller keeps all rights with which its stream was opened. */
function keeps(method: DescMethod, { target, place }: Permitted, before: Caller, now: Caller): boolean {
  const { permission } = ruleOf(method);
  return target.isList ? keepsScopes(before, now, permission) : mayAt(now, permission, place);
}
