import type { Hub } from "../live/hub.ts";
import type { Bus } from "../store/postgres/bus.ts";
import { isFinal } from "../task/status.ts";
import type { Listeners } from "./logging.ts";

/**
 * Returns listeners that pass committed chunks and status changes on: to this server's watchers the chunks themselves,
 * to the other servers a notification with the task's id. Watchers there read the store.
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
