import { z } from "zod";
import { messageOf } from "../task/errors.ts";
import type { Exit } from "../task/exit.ts";
import { END_REASONS, type EndReason } from "../task/status.ts";
import type { TaskOutcome, TaskRecord } from "../task/types.ts";
import type { StopReason } from "./control.ts";
import { OutputLostError } from "./supervise.ts";

type Limits = Pick<TaskRecord["spec"], "runTimeoutMs" | "idleTimeoutMs">;

/** Returns the outcome of a task whose program has ended. `stop`: the reason if the server ended it. */
export function outcomeOfExit(exit: Exit, stop: StopReason | undefined, limits: Limits): TaskOutcome {
  const end = {
    exitCode: exit.kind === "lost" ? null : exit.code,
    signal: exit.kind === "signal" ? exit.signal : null,
  };
  if (stop) return { ...stopped(stop, limits), ...end };
  if (exit.kind === "lost") {
    return failed(
      "LOST",
      "The program is gone and its exit was not recorded: the machine went down, or the program's supervisor was killed",
    );
  }
  if (exit.kind === "signal")
    return { ...failed("SIGNAL", `The program was killed by ${exit.signal}`), ...end };
  if (exit.code !== 0)
    return { ...failed("EXIT_CODE", `The program ended with exit code ${exit.code}`), ...end };
  return { status: "SUCCESS", reason: null, message: "", ...end };
}

/** Returns the outcome of a task whose preparation failed, or whose output can no longer be read. */
export function outcomeOfFailure(error: unknown, stop: StopReason | undefined, limits: Limits): TaskOutcome {
  if (stop) return stopped(stop, limits);
  return failed(error instanceof OutputLostError ? "LOST" : "PREPARE_FAILED", messageOf(error));
}

function stopped(stop: StopReason, { runTimeoutMs = 0, idleTimeoutMs = 0 }: Limits): TaskOutcome {
  if (stop === "run_timeout")
    return failed("RUN_TIMEOUT", `The program ran longer than its run_timeout of ${runTimeoutMs / 1000} s`);
  if (stop === "idle_timeout") {
    return failed(
      "IDLE_TIMEOUT",
      `The program printed nothing for longer than its idle_timeout of ${idleTimeoutMs / 1000} s`,
    );
  }
  return stop === "log_failed" ? logLost : userStop;
}

const logLost = failed(
  "LOST",
  "The task's log could not be stored, so its program was ended; the server's own log says why",
);

/** Turns an outcome into LOST because the end of the task's log could not be stored. */
export function withoutLog(outcome: TaskOutcome): TaskOutcome {
  return { ...logLost, exitCode: outcome.exitCode, signal: outcome.signal };
}

const userStop: TaskOutcome = {
  status: "STOPPED",
  reason: "STOPPED_BY_USER",
  exitCode: null,
  signal: null,
  message: "Stopped by KillTask",
};

/** Turns an outcome into STOPPED because a kill request was recorded before the outcome was. */
export function stoppedInstead(outcome: TaskOutcome): TaskOutcome {
  return { ...userStop, exitCode: outcome.exitCode, signal: outcome.signal };
}

const outputLost = failed(
  "LOST",
  "The disk of the data folder was full, so a part of the program's output is lost; free some space and run it again",
);

/**
 * Turns an outcome into LOST because the disk was full: part of the output is missing, and may have made the program
 * fail.
 */
export function withoutOutput(outcome: TaskOutcome): TaskOutcome {
  return { ...outputLost, exitCode: outcome.exitCode, signal: outcome.signal };
}

function failed(reason: EndReason, message: string): TaskOutcome {
  return { status: "ERROR", reason, exitCode: null, signal: null, message };
}

const outcomeSchema = z
  .object({
    status: z.enum(["SUCCESS", "ERROR", "STOPPED"]),
    reason: z.enum(END_REASONS).nullable(),
    exitCode: z.int32().nullable(),
    signal: z
      .string()
      .regex(/^\P{Cc}*$/u)
      .nullable(),
    message: z.string(),
  })
  .refine(({ status, reason }) => (status === "SUCCESS") === (reason === null));

/** Tells whether a value that a loaded hook returned is an outcome that can be stored. */
export const isOutcome = (value: unknown): value is TaskOutcome => outcomeSchema.safeParse(value).success;
