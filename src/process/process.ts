import type { Exit } from "../task/exit.ts";
import { adoptRun } from "./adopt.ts";
import { attemptLine, createAttempt } from "./journal.ts";
import { createKiller, type KillOptions } from "./kill.ts";
import { type Launcher, LauncherLost } from "./launcher.ts";
import { createPumps } from "./pumps.ts";
import { describeRun, type ProcessRun } from "./run-record.ts";
import { forksSoFar } from "./scan.ts";
import { prepareSpool } from "./spool.ts";
import { superviseAlways } from "./supervise.ts";
import { type ProgramSpec, startWrapper } from "./wrapper.ts";

/** A task's program, alive or ending. It outlives this server; so may its record. */
export interface RunningProcess {
  /**
   * The leader's end is recorded, leftovers are swept, both outputs are completely in the spool. Never rejects.
   * Never settles after `release`.
   */
  readonly ended: Promise<Exit>;
  /** Polite signal, then SIGKILL to everything after `graceMs`. A repeat may shorten the deadline, never lengthen it. */
  kill(options: KillOptions): void;
  /** Holds back every writer: SIGSTOP to the two pumps. Has no effect once all writers are dead. */
  pause(): void;
  resume(): void;
  /** Stops watching without touching the process (server shutdown). A grace that runs is forgotten. */
  release(): void;
}

/** Launchers that may be lost to one start. */
const LAUNCHERS = 3;

/**
 * Starts a program that survives this server. `folder` gets the spool (an older one in it is emptied); `marker` is the
 * task's id, in the program's environment as SIGNALMAN_TASK. Rejects if it could not be started; a command that does
 * not exist is no rejection but exit 127 (not executable: 126).
 */
export async function startProcess(
  launcher: Launcher,
  folder: string,
  marker: string,
  program: ProgramSpec,
): Promise<RunningProcess> {
  for (let lost = 1; ; lost++) {
    try {
      return await startOnce(launcher, folder, marker, program);
    } catch (error) {
      if (!(error instanceof LauncherLost)) throw error;
      // The journal knows whether it was started; if not, that attempt cannot start it any more.
      const running = await adoptProcess(folder, marker);
      if (running) return running;
      if (lost === LAUNCHERS) throw error;
    }
  }
}

async function startOnce(
  launcher: Launcher,
  folder: string,
  marker: string,
  program: ProgramSpec,
): Promise<RunningProcess> {
  const attempt = createAttempt(marker);
  prepareSpool(folder, attemptLine(attempt));
  const forks = forksSoFar();
  const child = await startWrapper(launcher, folder, attempt, program);
  const { pid, start } = child;
  const release = new AbortController();
  const rest = { birth: { pid, forks }, child, released: release.signal };
  return follow(describeRun(folder, marker, { pid, start }, rest), release);
}

/**
 * Takes over what an earlier server started in `folder`; also when it has ended meanwhile, with the recorded exit.
 * `undefined`: it never started and never will, so starting anew is safe. (After a crash of the whole machine the disk
 * may have forgotten a start: who notes `bootId()` before starting can tell.)
 */
export async function adoptProcess(folder: string, marker: string): Promise<RunningProcess | undefined> {
  const release = new AbortController();
  const run = await adoptRun(folder, marker, release.signal);
  return run && follow(run, release);
}

function follow(run: ProcessRun, release: AbortController): RunningProcess {
  const killer = createKiller(run);
  const pumps = createPumps(run);
  return {
    ended: superviseAlways(run, killer, pumps),
    kill: (options) => killer.kill(options),
    pause: () => pumps.hold(),
    resume: () => pumps.letGo(),
    release: () => release.abort(),
  };
}
