import type { Databases } from "../store/databases.ts";
import {
  adopt,
  claim,
  declareLost,
  expireQueue,
  LEASE_SECONDS,
  readWishes,
  renew,
  rescue,
} from "../store/leases.ts";
import type { PoolStore } from "./pool.ts";

/** The pool's side of the store, for one node. */
export function poolStore({ control }: Databases, node: string, lostTimeoutMs: number): PoolStore {
  // Who judges others must have held the database itself for the length of a lease.
  let heldSince = performance.now();
  return {
    claim: (slots, choose) => claim(control, node, slots, choose),
    adopt: () => adopt(control, node),
    renew: (ids) => renew(control, node, ids),
    readWishes: (ids) => readWishes(control, ids),
    async tidyUp() {
      try {
        const waiting = await rescue(control);
        const late = await expireQueue(control);
        const mayJudge = performance.now() - heldSince > LEASE_SECONDS * 1000;
        const lost = mayJudge ? await declareLost(control, node, lostTimeoutMs) : [];
        return { waiting, error: [...late, ...lost] };
      } catch (error) {
        heldSince = performance.now();
        throw error;
      }
    },
  };
}
