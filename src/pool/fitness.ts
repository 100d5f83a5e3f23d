import type { Logger } from "pino";

/*
 * Tells whether this server can start tasks. A full or read-only data folder, or a machine without free descriptors,
 * processes or memory, is the fault of the server and not of the task. A task that fails for such a reason goes back to
 * the queue for another server, and this server claims no tasks until it can start them again.
 */

export interface Fitness {
  readonly isFit: boolean;
  /** Why this server cannot start tasks; empty: it can. */
  readonly problem: string;
  /**
   * Resolves to the cause if this server is at fault for a run's failure, such as "the disk of the data folder is full
   * (ENOSPC)", and makes this server unfit. Undefined: the task is at fault.
   */
  faultBehind(error: unknown, taskId: string): Promise<string | undefined>;
  /**
   * Probes whether this server can start tasks, and reports a change. To be called every few seconds: a fit server is probed
   * once a minute only, since a probe writes a file and starts processes, and a failing task shows a shortage as well.
   */
  check(): Promise<void>;
}

export interface FitnessOptions {
  /** Resolves to the reason why no task can be started here; undefined: one can. Never rejects. */
  probe(): Promise<string | undefined>;
  onChange(isFit: boolean): void;
  logger: Logger;
  now?: () => number;
}

/**
 * System error codes that tell of a shortage. `mayBeTask`: the task may have caused it, so the machine is probed as
 * well.
 */
const SHORTAGES: Readonly<Record<string, { means: string; mayBeTask: boolean }>> = {
  // A task whose files are larger than the disk fails on every server, also on one that can start other tasks.
  ENOSPC: { means: "the disk of the data folder is full", mayBeTask: true },
  EDQUOT: { means: "the disk quota of the data folder is used up", mayBeTask: true },
  EROFS: { means: "the data folder is read-only", mayBeTask: false },
  EMFILE: { means: "the server has too many open files", mayBeTask: false },
  ENFILE: { means: "the machine has too many open files", mayBeTask: false },
  EAGAIN: { means: "the machine has no room for another process", mayBeTask: false },
  ENOMEM: { means: "the machine is out of memory", mayBeTask: false },
};

/**
 * Number of times that a task goes back to the queue for a shortage that it may have caused itself. This server claims it
 * again only after a successful probe, so a task that fails once more needs more than any probe can promise.
 */
const TRIES_FOR_ROOM = 3;
/** Number of tasks whose tries are remembered; the oldest are forgotten, and have all tries again. */
const MAX_REMEMBERED = 1000;
/** Milliseconds without claims after a shortage, so that another server claims the task. */
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 60_000;
/** The pause doubles if the next shortage comes within this time, in milliseconds, after the server was fit again. */
const SOON_MS = 60_000;

/** Milliseconds between two probes of a server that is fit. */
const FIT_PROBE_MS = 60_000;

export function createFitness({ probe, onChange, logger, now = Date.now }: FitnessOptions): Fitness {
  let state: { kind: "fit" } | { kind: "unfit"; until: number; why: string } = { kind: "fit" };
  let pauseMs = FIRST_PAUSE_MS;
  let fitSince = Number.NEGATIVE_INFINITY;
  let probedAt = Number.NEGATIVE_INFINITY;
  const triesForRoom = new Map<string, number>();

  function becomeUnfit(why: string, isRoomAgain = false): void {
    if (state.kind === "fit") {
      const isBackSoon = !isRoomAgain && now() - fitSince < SOON_MS;
      pauseMs = isBackSoon ? Math.min(pauseMs * 2, LONGEST_PAUSE_MS) : FIRST_PAUSE_MS;
      logger.warn(`this server cannot start tasks and claims none until it can: ${why}`);
      state = { kind: "unfit", until: now() + pauseMs, why };
      onChange(false);
    } else state.until = Math.max(state.until, now() + pauseMs);
  }

  function becomeFit(): void {
    if (state.kind === "fit" || now() < state.until) return;
    state = { kind: "fit" };
    fitSince = now();
    logger.info("this server can start tasks again");
    onChange(true);
  }

  function hasTriesLeft(taskId: string): boolean {
    const tries = (triesForRoom.get(taskId) ?? 0) + 1;
    triesForRoom.delete(taskId);
    if (tries > TRIES_FOR_ROOM) return false;
    triesForRoom.set(taskId, tries);
    for (const oldest of triesForRoom.keys()) {
      if (triesForRoom.size <= MAX_REMEMBERED) break;
      triesForRoom.delete(oldest);
    }
    return true;
  }

  return {
    get isFit() {
      return state.kind === "fit";
    },
    get problem() {
      return state.kind === "fit" ? "" : state.why;
    },
    async faultBehind(error, taskId) {
      const found = shortageIn(error);
      const shortage = found && `${found.means} (${found.code})`;
      const isServer = found?.mayBeTask === false;
      const trouble = isServer ? shortage : await probe();
      if (trouble) becomeUnfit(trouble);
      const fault = trouble ?? shortage;
      if (!fault || isServer) return fault;
      if (!hasTriesLeft(taskId)) return undefined;
      if (!trouble) becomeUnfit(fault, true);
      return fault;
    },
    async check() {
      if (state.kind === "fit" && now() - probedAt < FIT_PROBE_MS) return;
      probedAt = now();
      const trouble = await probe();
      if (trouble) becomeUnfit(trouble);
      else becomeFit();
    },
  };
}

/** Returns the shortage that the code of an error, or of one of its causes, tells of; undefined: none. */
export function shortageIn(error: unknown): { code: string; means: string; mayBeTask: boolean } | undefined {
  for (let e = error; e instanceof Error; e = e.cause) {
    const code = "code" in e ? String(e.code) : "";
    const shortage = Object.hasOwn(SHORTAGES, code) ? SHORTAGES[code] : undefined;
    if (shortage) return { code, ...shortage };
  }
  return undefined;
}
