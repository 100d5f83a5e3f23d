import { setTimeout as delay } from "node:timers/promises";
import type { Random } from "../../fuzz/random.ts";
import { type Caller, idOf, isTransient, nameOf } from "./clients.ts";
import { msOf, seenIn, statusOf } from "./events.ts";
import type { Watch, WatchOfAll } from "./history.ts";

/** Milliseconds without a message after which a client gives a stream up; a heartbeat is asked for each second. */
const SILENT_MS = 5000;
const HEARTBEAT = { seconds: 1n, nanos: 0 };
const PAUSE_MS = 50;

export interface WatcherOptions {
  caller: Pick<Caller, "pick">;
  random: Random;
  /** Cuts its own streams after a random number of messages, and goes on at another server. */
  isRestless: boolean;
  signal: AbortSignal;
}

/** Watches a task from its beginning to its end, over as many streams as that takes; never rejects for a fault. */
export async function watch(watched: Watch, options: WatcherOptions): Promise<void> {
  const name = nameOf(watched.task);
  const state = { token: "", isOver: false };
  await resuming(
    options,
    () => state.isOver,
    (why) => watched.seen.push({ kind: "break", why }),
    async (signal, alive) => {
      const start = state.token ? { case: "resumeToken" as const, value: state.token } : { case: undefined };
      const { client } = options.caller.pick();
      for await (const message of client.watchTask(
        { name, start, heartbeatInterval: HEARTBEAT },
        { signal },
      )) {
        alive();
        watched.seen.push(...seenIn(message));
        state.token = message.resumeToken;
        state.isOver ||= message.event.case === "end";
      }
    },
  );
}

/** Watches the status changes of all tasks until the signal is aborted. `onSynced`: its first stream is complete. */
export async function watchAll(
  watched: WatchOfAll,
  options: WatcherOptions,
  onSynced: () => void,
): Promise<void> {
  let token = "";
  await resuming(
    options,
    () => false,
    () => {},
    async (signal, alive) => {
      const request = { parent: "projects/demo", resumeToken: token, heartbeatInterval: HEARTBEAT };
      const { client } = options.caller.pick();
      for await (const { event, resumeToken } of client.watchTasks(request, { signal })) {
        alive();
        if (event.case === "synced") onSynced();
        if (event.case === "change") {
          const { change, task } = event.value;
          const seen = { status: statusOf(change?.status), timeMs: msOf(change?.time), token: resumeToken };
          watched.changes.push({ task: idOf(task?.name), ...seen });
        }
        token = resumeToken;
      }
    },
  );
}

/** Opens one stream after the other until the watch is over. A stream that falls silent is given up. */
async function resuming(
  { random, isRestless, signal }: WatcherOptions,
  isOver: () => boolean,
  onBreak: (why: string) => void,
  open: (signal: AbortSignal, alive: () => void) => Promise<void>,
): Promise<void> {
  while (!isOver() && !signal.aborted) {
    const cut = new AbortController();
    const silence = setTimeout(() => cut.abort(), SILENT_MS);
    let messages = isRestless ? 1 + random.below(20) : Number.POSITIVE_INFINITY;
    const alive = () => {
      silence.refresh();
      if (--messages === 0) cut.abort();
    };
    try {
      await open(AbortSignal.any([cut.signal, signal]), alive);
      if (!isOver()) onBreak("closed");
    } catch (error) {
      if (!isTransient(error) && !cut.signal.aborted && !signal.aborted) throw error;
      if (!isOver()) onBreak(cut.signal.aborted ? "cut" : String(error));
    } finally {
      clearTimeout(silence);
    }
    if (!isOver()) await delay(PAUSE_MS, undefined, { signal }).catch(() => {});
  }
}
