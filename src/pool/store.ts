import { failpoint } from "../async/failpoint.ts";
import { reportGone } from "../store/nodes/nodes.ts";
import type { Databases } from "../store/postgres/databases.ts";
import { placeEvents } from "../store/tasks/events.ts";
import { declareLost, expirePlans, expireQueue } from "../store/tasks/expiry.ts";
import {
  claim,
  type KillRequestState,
  LEASE_SECONDS,
  LOCAL,
  readKillRequests,
  renew,
  rescue,
  stopUnstarted,
} from "../store/tasks/leases.ts";
import { endedAmong, parkedOn, resume } from "../store/tasks/parked.ts";
import { adopt, inherit, readopt } from "../store/tasks/take-over.ts";
import type { ChangedTask, Lease } from "../store/tasks/transitions.ts";
import type { TaskRecord } from "../task/types.ts";
import type { admit } from "./admission.ts";

/** Queries of the pool. They reject while the database is away; the next round of the loop tries again. */
export interface PoolStore {
  /** Claims up to `slots` waiting tasks that `choose` admits. */
  claim(slots: number, choose: typeof admit): Promise<ChangedTask[]>;
  /** At start: adopts the tasks of this node whose program may run, and puts those back that were not started. */
  adopt(): Promise<{ putBack: ChangedTask[]; adopted: Lease[] }>;
  /** Resolves to this node's plans that wait for a decision or, confirmed, for a slot. */
  parked(): Promise<Pick<TaskRecord, "id" | "status">[]>;
  /** Takes new leases of up to `slots` confirmed plans that are not among `running`. */
  resume(slots: number, running: string[]): Promise<Lease[]>;
  /** Resolves to those of the tasks that have ended or no longer exist. */
  endedAmong(ids: string[]): Promise<string[]>;
  /** Extends the leases of these tasks. Resolves to the tasks whose lease this node still holds. */
  renew(ids: string[]): Promise<KillRequestState[]>;
  readKillRequests(ids: string[]): Promise<KillRequestState[]>;
  /**
   * Puts back or ends tasks whose server is gone or whose time limit has passed, and adopts tasks of this node that are
   * not among `running`.
   */
  tidyUp(running: string[]): Promise<{ changed: ChangedTask[]; adopted: Lease[] }>;
  /**
   * Records that no process is left of this node's LOST tasks, except those of `left`. Resolves to the tasks that no
   * longer block their templates.
   */
  reportGone(left: string[]): Promise<string[]>;
}

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
