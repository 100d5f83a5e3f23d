import { failpoint } from "../async/failpoint.ts";
import type { Exit } from "../task/exit.ts";
import { adoptRun } from "./adopt.ts";
import { attemptLines, createAttempt } from "./journal.ts";
import { createKiller, type KillOptions } from "./kill.ts";
import { type Launcher, LauncherLostError } from "./launcher.ts";
import { createPumps } from "./pumps.ts";
import { describeRun, type ProcessRun } from "./run-record.ts";
import { forksSoFar } from "./scan.ts";
import { prepareSpool } from "./spool.ts";
import { superviseAlways } from "./supervise.ts";
import { type ProgramSpec, startWrapper } from "./wrapper.ts";

/*
 * Runs the programs of tasks so that they survive the server.
 *
 * A program is no child of the server. The launcher, a small process (launcher.ts), starts a wrapper (wrapper.sh): a
 * shell that starts the program in a separate session, drains its output through two pumps into the spool, and
 * records its start and exit in the journal (journal.ts). All state is on disk or in /proc. A server that starts on
 * the same data folder therefore adopts the program (adopt.ts), with its whole output and its exit.
 *
 * `startProcess` and `adoptProcess` return a RunningProcess. tail.ts reads its output as it grows; kill.ts tells how
 * it is ended; sweep.ts ends the processes that it leaves. An attempt starts its program at most once, and an exit
 * that cannot be known is `lost`, never guessed.
 *
 * Left to others: which program to run (jobs/), lines and secrets in its output (logs/), the task's status (runner/).
 */

/** A task's program, running or ending. The program and its journal may outlive this server. */
export interface RunningProcess {
  /**
   * Resolves with the exit when the leader's end is recorded, leftovers are ended, and both outputs are complete in
   * the spool. Never rejects. Never settles after `release`.
   */
  readonly ended: Promise<Exit>;
  /**
   * Sends a first signal, then SIGKILL to every process of the task after `graceMs` milliseconds. A repeated call may
   * shorten the deadline, never lengthen it.
   */
  kill(options: KillOptions): void;
  /** Holds back every writer, by SIGSTOP to the two pumps. Has no effect once all writers have ended. */
  pause(): void;
  resume(): void;
  /**
   * Stops supervision without touching the program, for a server that shuts down. A running grace period is
   * forgotten.
   */
  release(): void;
}

/** Launchers that one start may lose before it fails. */
const LAUNCHERS = 3;

/**
 * Starts a program that survives this server. `folder` gets the spool; an older spool in it is emptied. `marker` is
 * the task's id, which the program gets as SIGNALMAN_TASK. Rejects if the program could not be started. A command
 * that does not exist is not a rejection but exit 127; one that is not executable, exit 126.
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
      if (!(error instanceof LauncherLostError)) throw error;
      // The journal tells whether the program was started. If not, adoption abandons the attempt, so that it never
      // starts.
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
  prepareSpool(folder, attemptLines(attempt, program.enclosure?.hasNamespace === true));
  await failpoint("after-attempt");
  const forks = forksSoFar();
  const child = await startWrapper(launcher, folder, attempt, program);
  const { pid, start } = child;
  const release = new AbortController();
  const rest = { birth: { pid, forks }, child, released: release.signal };
  return follow(describeRun(folder, marker, { pid, start }, rest), release);
}

/**
 * Takes over the program that an earlier server started in `folder`; also one that has ended meanwhile, with its
 * recorded exit. Resolves with undefined if it never started and never will, so that a new start is safe. After a
 * crash of the machine the disk may have lost the record of a start: a caller that stores `bootId()` before the start
 * can tell.
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
