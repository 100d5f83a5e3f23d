import { z } from "zod";
import { messageOf } from "../task/errors.ts";
import type { Exit } from "../task/exit.ts";
import { END_REASONS, type EndReason } from "../task/status.ts";
import type { TaskOutcome, TaskRecord } from "../task/types.ts";
import type { StopReason } from "./control.ts";
import { OutputLost } from "./supervise.ts";

type Limits = Pick<TaskRecord["spec"], "runTimeoutMs" | "idleTimeoutMs">;

/** How a task ended whose program ended, or was ended. */
export function outcomeOfExit(exit: Exit, stop: StopReason | undefined, limits: Limits): TaskOutcome {
  const end = {
    exitCode: exit.kind === "lost" ? null : exit.code,
    signal: exit.kind === "signal" ? exit.signal : null,
  };
  if (stop) return { ...stopped(stop, limits), ...end };
  if (exit.kind === "lost") {
    return failed(
      "LOST",
      "The program vanished without a record of its end: the machine went down, or somebody killed its supervisor",
    );
  }
  if (exit.kind === "signal") return { ...failed("SIGNAL", `The program died by ${exit.signal}`), ...end };
  if (exit.code !== 0)
    return { ...failed("EXIT_CODE", `The program ended with exit code ${exit.code}`), ...end };
  return { status: "SUCCESS", reason: null, message: "", ...end };
}

/** How a task ended that never got as far as a program, or whose program got lost. */
export function outcomeOfFailure(error: unknown, stop: StopReason | undefined, limits: Limits): TaskOutcome {
  if (stop) return stopped(stop, limits);
  return failed(error instanceof OutputLost ? "LOST" : "PREPARE_FAILED", messageOf(error));
}

function stopped(stop: StopReason, { runTimeoutMs = 0, idleTimeoutMs = 0 }: Limits): TaskOutcome {
  if (stop === "run_timeout")
    return failed("RUN_TIMEOUT", `It ran longer than its run_timeout of ${runTimeoutMs / 1000} s`);
  if (stop === "idle_timeout") {
    return failed(
      "IDLE_TIMEOUT",
      `It printed nothing for longer than its idle_timeout of ${idleTimeoutMs / 1000} s`,
    );
  }
  return stop === "log_failed" ? logLost : userStop;
}

const logLost = failed("LOST", "Its log could not be stored, so it was ended; the server's own log says why");

/** What an outcome becomes when the end of its log could not be stored. */
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

/** What an outcome becomes when a kill was recorded before it could be stored. */
export function stoppedInstead(outcome: TaskOutcome): TaskOutcome {
  return { ...userStop, exitCode: outcome.exitCode, signal: outcome.signal };
}

const outputLost = failed(
  "LOST",
  "The disk of the data folder was full, so a part of the program's output is lost; free some space and run it again",
);

/** What an outcome becomes when the program wrote more than the disk could take: it may have died of that, or not. */
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

/** Of what comes from hooks that nobody has checked: whether it can be recorded. */
export const isOutcome = (value: unknown): value is TaskOutcome => outcomeSchema.safeParse(value).success;
