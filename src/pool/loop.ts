import type { Logger } from "pino";
import { messageOf } from "../task/errors.ts";

/** Work that is done on request, and every `everyMs` in any case; never twice at once. */
export interface Loop {
  start(): void;
  /** Soon; also when the work is being done just now, once more after it. */
  wake(): void;
  /** Resolves when the work that is under way is done; none follows. */
  stop(): Promise<void>;
}

/** A failure is logged once until the work succeeds again: a database that is away fails every second. */
export function startLoop(
  options: { everyMs: number; name: string; logger: Logger },
  work: () => Promise<void>,
): Loop {
  let state: "idle" | "busy" | "busy and woken" | "stopped" = "stopped";
  let current: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
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

  return {
    start() {
      if (state !== "stopped") return;
      state = "idle";
      timer = setInterval(wake, options.everyMs);
      timer.unref();
      wake();
    },
    wake,
    async stop() {
      state = "stopped";
      clearInterval(timer);
      await current;
    },
  };
}
