import type { Hub } from "../live/hub.ts";
import type { Bus } from "../store/postgres/bus.ts";
import { isFinal } from "../task/status.ts";
import type { Listeners } from "./logging.ts";

/**
 * The live feed, in the place of the reference's WebSocket: what is committed here goes to this server's watchers
 * as it is, and to the other servers as a hint.
 */
export function liveFeed(hub: Hub, bus: Pick<Bus, "publish">): Listeners {
  return {
    log: [
      (taskId, { firstSeq, lastSeq, counts, data }, events) => {
        hub.publish(taskId, { firstSeq, lastSeq, counts, data, events });
        bus.publish(taskId);
      },
    ],
    status: [
      (taskId, status) => {
        hub.wake(taskId);
        bus.publish(taskId, { queue: status === "WAITING" || isFinal(status) });
      },
    ],
  };
}
