import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { Observation } from "../access/callers.ts";
import { keepsScopes, mayAt } from "../access/rights.ts";
import type { Caller } from "../task/caller.ts";
import { type ErrorKind, Failure } from "../task/errors.ts";
import { actorOf } from "./actor.ts";
import { type AuthorizeDeps, authorize, type Permitted } from "./authorize.ts";
import type { Call, Incoming } from "./call.ts";
import { isRead, ruleOf } from "./permissions.ts";
import { BY_CALLER, BY_RIGHT, type RecordRefusal, refusalOf } from "./refusals.ts";

export interface GuardDeps extends AuthorizeDeps {
  /** Watches the token and the rights of a caller (access/callers.ts). */
  observe(caller: Caller, isAllowed: (now: Caller) => boolean): Observation;
  recordRefusal: RecordRefusal;
}

type Handle = (request: Message, call: Call) => unknown;

/** Returns a handler that runs only for permitted callers. Refusals are recorded before the caller learns of them. */
export function guarded(
  deps: GuardDeps,
  method: DescMethod,
  handle: Handle,
): (request: Message, incoming: Incoming) => unknown {
  async function permit(request: Message, incoming: Incoming): Promise<Permitted> {
    try {
      return await authorize(deps, method, request, incoming.caller);
    } catch (error) {
      throw await recorded(error, request, incoming, { kinds: BY_RIGHT });
    }
  }

  /** Records an error of one of the kinds, and returns it. `target`: the resource that the request names. */
  async function recorded(
    error: unknown,
    request: Message,
    incoming: Incoming,
    { kinds, target = "" }: { kinds: readonly ErrorKind[]; target?: string },
  ): Promise<unknown> {
    if (!(error instanceof Failure && kinds.includes(error.kind))) return error;
    await deps.recordRefusal(actorOf(method, request, incoming), refusalOf(error, target));
    return error;
  }

  const callOf = (request: Message, incoming: Incoming, permitted: Permitted): Call => ({
    ...incoming,
    isOwn: permitted.isOwn,
    // Computed only for changes, which need it.
    get actor() {
      return actorOf(method, request, incoming);
    },
    observe: () => observe(incoming, permitted),
  });

  function observe({ caller, signal }: Incoming, permitted: Permitted): Observation {
    const observation = deps.observe(caller, (now) => keeps(method, permitted, caller, now));
    return {
      signal: AbortSignal.any([signal, observation.signal]),
      [Symbol.dispose]: () => observation[Symbol.dispose](),
    };
  }

  if (method.methodKind === "unary")
    return async (request, incoming) => {
      const permitted = await permit(request, incoming);
      try {
        return await handle(request, callOf(request, incoming, permitted));
      } catch (error) {
        const kinds: readonly ErrorKind[] = isRead(method) ? ["denied"] : BY_CALLER;
        throw await recorded(error, request, incoming, { kinds, target: permitted.target.name });
      }
    };
  return async function* (request, incoming) {
    const permitted = await permit(request, incoming);
    using observation = observe(incoming, permitted);
    const call = callOf(request, { ...incoming, signal: observation.signal }, permitted);
    yield* handle(request, call) as AsyncIterable<unknown>;
  };
}

/** Tells whether a caller keeps all rights with which its stream was opened. */
function keeps(method: DescMethod, { target, place }: Permitted, before: Caller, now: Caller): boolean {
  const { permission } = ruleOf(method);
  return target.isList ? keepsScopes(before, now, permission) : mayAt(now, permission, place);
}
