import type { Logger } from "pino";
import { messageOf } from "../task/errors.ts";

/*
 * Helpers for time and order, one of each kind, for all rooms above. A repeated job is a loop (this file); work that
 * may fail for a short time is retried (retry.ts); work on one thing at a time waits in a queue (keyed-queue.ts); equal
 * reads are shared (coalesce.ts). wakeup.ts and first-of.ts are for waits, restartable-timer.ts, token-bucket.ts and
 * first-bytes-timeout.ts for timers.
 *
 * Guarantees: the work of a loop, or of one key of a queue, never runs twice at once; a wait that takes a signal ends
 * when it is aborted.
 * Left to the callers: the work itself, and which errors pass.
 */

/** Runs work on request and at least every `everyMs` milliseconds; never two runs at once. */
export interface Loop {
  start(): void;
  /** Requests a run. During a run, one more follows it. */
  wake(): void;
  /** Requests a run, debounced: the first request runs at once, further ones within TOGETHER_MS share one run after it. */
  wakeTogether(): void;
  /** Stops the loop; resolves when the current run has ended. */
  stop(): Promise<void>;
}

/** Debounce time of `wakeTogether`, in milliseconds. */
const TOGETHER_MS = 20;

export interface LoopOptions {
  everyMs: number;
  /** Milliseconds from the start of a run to that of the next one, at least. Default: 0. */
  pauseMs?: number;
  name: string;
  /** Default: failures are not logged. */
  logger?: Pick<Logger, "info" | "warn">;
}

/**
 * Creates a loop, which runs from `start` on. A failure is logged once until the work succeeds again, since a
 * database that is away fails every second.
 */
export function startLoop(options: LoopOptions, work: () => Promise<void>): Loop {
  const { everyMs, pauseMs = 0, name, logger } = options;
  let state: "idle" | "busy" | "busy and woken" | "stopped" = "stopped";
  let current: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let debounce: { timer: NodeJS.Timeout; isWoken: boolean } | undefined;
  let hasFailed = false;

  async function once(): Promise<void> {
    try {
      await work();
      if (hasFailed) logger?.info(`${name}: works again`);
      hasFailed = false;
    } catch (error) {
      if (!hasFailed) logger?.warn({ err: error }, `${name}: ${messageOf(error)}`);
      hasFailed = true;
    }
  }

  function run(): void {
    state = "busy";
    current = once();
    const paused = pauseMs > 0 ? new Promise((resolve) => setTimeout(resolve, pauseMs)) : undefined;
    void Promise.all([current, paused]).then(() => {
      const again = state === "busy and woken";
      if (state === "stopped") return;
      state = "idle";
      if (again) run();
    });
  }

  function wake(): void {
    if (state === "idle") run();
    else if (state === "busy") state = "busy and woken";
  }

  function wakeTogether(): void {
    if (debounce) {
      debounce.isWoken = true;
      return;
    }
    const end = () => {
      const isWoken = debounce?.isWoken;
      debounce = undefined;
      if (isWoken) wakeTogether();
    };
    debounce = { timer: setTimeout(end, TOGETHER_MS).unref(), isWoken: false };
    wake();
  }

  return {
    start() {
      if (state !== "stopped") return;
      state = "idle";
      timer = setInterval(wake, everyMs);
      timer.unref();
      wake();
    },
    wake,
    wakeTogether,
    async stop() {
      state = "stopped";
      clearInterval(timer);
      clearTimeout(debounce?.timer);
      debounce = undefined;
      await current;
    },
  };
}
