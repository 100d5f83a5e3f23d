import type { Logger } from "pino";
import { messageOf } from "../task/errors.ts";

/** Work that is done on request, and every `everyMs` in any case; never twice at once. */
export interface Loop {
  start(): void;
  /** Soon; also when the work is being done just now, once more after it. */
  wake(): void;
  /** The same, but many of these within a moment are one: the first is heard at once, the others together after it. */
  wakeTogether(): void;
  /** Resolves when the work that is under way is done; none follows. */
  stop(): Promise<void>;
}

/** Milliseconds of such a moment. */
const TOGETHER_MS = 20;

/** A failure is logged once until the work succeeds again: a database that is away fails every second. */
export function startLoop(
  options: { everyMs: number; name: string; logger: Logger },
  work: () => Promise<void>,
): Loop {
  let state: "idle" | "busy" | "busy and woken" | "stopped" = "stopped";
  let current: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let moment: { timer: NodeJS.Timeout; isWoken: boolean } | undefined;
  let hasFailed = false;

  async function once(): Promise<void> {
    try {
      await work();
      if (hasFailed) options.logger.info(`${options.name}: works again`);
      hasFailed = false;
    } catch (error) {
      if (!hasFailed) options.logger.warn({ err: error }, `${options.name}: ${messageOf(error)}`);
      hasFailed = true;
    }
  }

  function run(): void {
    state = "busy";
    current = once().then(() => {
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
    if (moment) {
      moment.isWoken = true;
      return;
    }
    const end = () => {
      const isWoken = moment?.isWoken;
      moment = undefined;
      if (isWoken) wakeTogether();
    };
    moment = { timer: setTimeout(end, TOGETHER_MS).unref(), isWoken: false };
    wake();
  }

  return {
    start() {
      if (state !== "stopped") return;
      state = "idle";
      timer = setInterval(wake, options.everyMs);
      timer.unref();
      wake();
    },
    wake,
    wakeTogether,
    async stop() {
      state = "stopped";
      clearInterval(timer);
      clearTimeout(moment?.timer);
      moment = undefined;
      await current;
    },
  };
}
