import { failpoint } from "../async/failpoint.ts";
import { reportGone } from "../store/nodes/nodes.ts";
import type { Databases } from "../store/postgres/databases.ts";
import { placeEvents } from "../store/tasks/events.ts";
import { declareLost, expirePlans, expireQueue } from "../store/tasks/expiry.ts";
import {
  claim,
  LEASE_SECONDS,
  LOCAL,
  readKillRequests,
  renew,
  rescue,
  stopUnstarted,
} from "../store/tasks/leases.ts";
import { endedAmong, parkedOn, resume } from "../store/tasks/parked.ts";
import { adopt, inherit, readopt } from "../store/tasks/take-over.ts";
import type { PoolStore } from "./pool.ts";

/** Milliseconds between two rounds after which this server counts as having been paused or suspended itself. */
const AWAY_MS = (LEASE_SECONDS * 1000) / 3;

/**
 * Returns the pool's queries for one node. It takes up only tasks of the executors named. Tasks of `own` executors stay
 * with their node; tasks of `shared` executors may be taken over by any node. `tags`: those of
 * this node.
 */
export function poolStore(
  { control }: Databases,
  node: string,
  lostTimeoutMs: number,
  { own, shared }: { own: readonly string[]; shared: readonly string[] } = { own: [LOCAL], shared: [] },
  tags: readonly string[] = [],
): PoolStore {
  const known = [...own, ...shared];
  // A server declares others lost only after it has reached the database itself for the length of a lease. Measured by
  // the wall clock, since the monotonic clock stops while a machine is suspended. Setting the clock only causes a
  // delay.
  let heldSince = Date.now();
  let heldUntil = heldSince;

  function mayJudge(): boolean {
    const now = Date.now();
    if (Math.abs(now - heldUntil) > AWAY_MS) heldSince = now;
    heldUntil = now;
    return now - heldSince > LEASE_SECONDS * 1000;
  }

  return {
    claim: (slots, choose) => claim(control, node, slots, choose, { executors: known, tags }),
    resume: (slots, running) => resume(control, node, slots, running),
    adopt: () => adopt(control, node, known),
    renew: (ids) => renew(control, node, ids),
    parked: () => parkedOn(control, node),
    endedAmong: (ids) => endedAmong(control, ids),
    readKillRequests: (ids) => readKillRequests(control, ids),
    reportGone: (left) => reportGone(control, node, left),
    async tidyUp(running) {
      try {
        await failpoint("before-put-back");
        const rescued = await rescue(control, node);
        const stopped = await stopUnstarted(control, node);
        const late = [...(await expireQueue(control)), ...(await expirePlans(control))];
        const { putBack, adopted } = await readopt(control, node, running, known);
        const judges = mayJudge();
        const inherited = judges ? await inherit(control, node, shared) : [];
        const lost = judges ? await declareLost(control, node, lostTimeoutMs, own) : [];
        // WatchTasks does this as well. Without watchers it is done here, so that the first one does not wait for a
        // backlog.
        await placeEvents(control);
        return {
          changed: [...rescued, ...putBack, ...stopped, ...late, ...lost],
          adopted: [...adopted, ...inherited],
        };
      } catch (error) {
        heldSince = Date.now();
        throw error;
      }
    },
  };
}
