import type { Logger } from "pino";

/*
 * Whether this server can start tasks. A full or read-only data folder, and a machine that is out of descriptors, processes
 * or memory, are the server's trouble, not the task's: such a task goes back to the queue, for a server that can run it,
 * and this one claims nothing until it can work again.
 */

export interface Fitness {
  readonly isFit: boolean;
  /**
   * Says why a failure of a run is this server's own, as "the disk of the data folder is full (ENOSPC)", and
   * counts this server as unfit from then on. Undefined: the task itself is at fault.
   */
  faultBehind(error: unknown, taskId: string): Promise<string | undefined>;
  /** Looks whether this server can work, and tells of a change. Called now and then. */
  check(): Promise<void>;
}

export interface FitnessOptions {
  /** Undefined: a task can be started here now. Else why not. Never rejects. */
  probe(): Promise<string | undefined>;
  onChange(isFit: boolean): void;
  logger: Logger;
  now?: () => number;
}

/** What each code of the system says of a machine. */
const SHORTAGES: Readonly<Record<string, { means: string; mayBeTask: boolean }>> = {
  // A task whose files are larger than the disk runs out of it everywhere, on a server that can work.
  ENOSPC: { means: "the disk of the data folder is full", mayBeTask: true },
  EDQUOT: { means: "the disk quota of the data folder is used up", mayBeTask: true },
  EROFS: { means: "the data folder is read-only", mayBeTask: false },
  EMFILE: { means: "the server has too many open files", mayBeTask: false },
  ENFILE: { means: "the machine has too many open files", mayBeTask: false },
  EAGAIN: { means: "the machine has no room for another process", mayBeTask: false },
  ENOMEM: { means: "the machine is out of memory", mayBeTask: false },
};

/** How often a task goes back to the queue for want of room, if there is room again as soon as its files are gone. */
const TRIES_FOR_ROOM = 3;
/** Milliseconds without claims after a shortage, so that other servers take the task; longer if it comes back soon. */
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 60_000;
const SOON_MS = 60_000;

export function createFitness({ probe, onChange, logger, now = Date.now }: FitnessOptions): Fitness {
  let state: { kind: "fit" } | { kind: "unfit"; until: number } = { kind: "fit" };
  let pauseMs = FIRST_PAUSE_MS;
  let fitSince = Number.NEGATIVE_INFINITY;
  const triesForRoom = new Map<string, number>();

  function becomeUnfit(why: string, isRoomAgain = false): void {
    if (state.kind === "fit") {
      const isBackSoon = !isRoomAgain && now() - fitSince < SOON_MS;
      pauseMs = isBackSoon ? Math.min(pauseMs * 2, LONGEST_PAUSE_MS) : FIRST_PAUSE_MS;
      logger.warn(`this server cannot start tasks and claims none until it can: ${why}`);
      state = { kind: "unfit", until: now() + pauseMs };
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
    if (tries > TRIES_FOR_ROOM) triesForRoom.delete(taskId);
    else triesForRoom.set(taskId, tries);
    return tries <= TRIES_FOR_ROOM;
  }

  return {
    get isFit() {
      return state.kind === "fit";
    },
    async faultBehind(error, taskId) {
      const found = shortageIn(error);
      const shortage = found && `${found.means} (${found.code})`;
      const trouble = found && !found.mayBeTask ? shortage : await probe();
      if (trouble) becomeUnfit(trouble);
      if (trouble || !shortage || !hasTriesLeft(taskId)) return trouble;
      becomeUnfit(shortage, true);
      return shortage;
    },
    async check() {
      const trouble = await probe();
      if (trouble) becomeUnfit(trouble);
      else becomeFit();
    },
  };
}

/** What the system said, in the error or in one of its causes. */
export function shortageIn(error: unknown): { code: string; means: string; mayBeTask: boolean } | undefined {
  for (let e = error; e instanceof Error; e = e.cause) {
    const code = "code" in e ? String(e.code) : "";
    const shortage = Object.hasOwn(SHORTAGES, code) ? SHORTAGES[code] : undefined;
    if (shortage) return { code, ...shortage };
  }
  return undefined;
}
