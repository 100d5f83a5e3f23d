import type { DescMethod, Message } from "@bufbuild/protobuf";
import { TokenBucket } from "../async/token-bucket.ts";
import type { Actor } from "../task/caller.ts";
import type { ErrorKind, Failure } from "../task/errors.ts";
import type { Reason } from "../task/reasons.ts";
import { codeNameOf } from "./errors/errors.ts";
import { ruleOf } from "./permissions.ts";

/** Refusal of a call, as its audit event names it. */
export interface Refusal {
  /** Full name of the resource; empty: the call named none. */
  resource: string;
  /** Name of the gRPC code. */
  code: string;
  reason: Reason;
}

/** Stores the audit event of a refusal. */
export type RecordRefusal = (actor: Actor, refusal: Refusal) => Promise<void>;

/** Failures because of a missing right. They are recorded for every method. */
export const BY_RIGHT: readonly ErrorKind[] = ["denied", "not_found"];
/** Failures of the caller. They are recorded for methods that change something. */
export const BY_CALLER: readonly ErrorKind[] = [
  ...BY_RIGHT,
  "invalid",
  "already_exists",
  "precondition",
  "aborted",
  "exhausted",
];

/** Returns the refusal of a failed call. `target`: the resource that the call named. */
export const refusalOf = ({ kind, reason, resource }: Failure, target: string): Refusal => ({
  resource: resource ?? target,
  code: codeNameOf(kind),
  reason,
});

const RESOURCE_NAME = /^(projects|accounts)\/[a-z0-9-]{1,63}(\/[A-Za-z]+\/[a-z0-9-]{1,63})?$/;

/** Returns the resource that a request names which breaks the rules; empty if it names none, or in an invalid way. */
export function targetOfInvalid(method: DescMethod, request: Message): string {
  const { name } = ruleOf(method).targetOf(request as never);
  return RESOURCE_NAME.test(name) ? name : "";
}

/** Refusals of one caller with one code that are recorded one by one. After them one is recorded each EVERY_MS. */
const BURST = 100;
const EVERY_MS = 10_000;

/** A refusal, and the number of those of the same caller and code before it that have no event. */
interface Counted {
  actor: Actor;
  refusal: Refusal;
  omitted: number;
}

/**
 * Limits how many refusals are recorded, so that a caller cannot fill the database: of each caller and code BURST events,
 * and then one every EVERY_MS, which is the newest refusal and has the number of those that were left out before it. What
 * the database does not take is counted in the same way, and the caller gets its error nevertheless.
 */
export function limitRefusals(
  record: (actor: Actor, refusal: Refusal & { omitted: number }) => Promise<void>,
  { burst, everyMs } = { burst: BURST, everyMs: EVERY_MS },
): RecordRefusal {
  const limits = new Map<string, ReturnType<typeof createLimit>>();
  return async (actor, refusal) => {
    const key = `${actor.caller} ${refusal.code}`;
    const limit = limits.get(key) ?? createLimit();
    limits.set(key, limit);
    await limit.add({ actor, refusal, omitted: 0 });
  };

  function createLimit() {
    /** Newest refusal without an event. */
    let waiting: Counted | undefined;
    const bucket = new TokenBucket(everyMs, burst, () => void recordWaiting());

    async function recordWaiting(): Promise<void> {
      if (!waiting || !bucket.isOpen) return;
      const now = waiting;
      waiting = undefined;
      bucket.spend();
      try {
        await record(now.actor, { ...now.refusal, omitted: now.omitted });
      } catch {
        const newer = waiting as Counted | undefined;
        waiting = newer ? { ...newer, omitted: newer.omitted + now.omitted + 1 } : now;
      }
    }

    return {
      async add(one: Counted): Promise<void> {
        waiting = { ...one, omitted: waiting ? waiting.omitted + 1 : 0 };
        await recordWaiting();
      },
    };
  }
}
