import type { TaskOutcome } from "../../task/types.ts";

/** An error with what its exit code means, if that is known. */
export function explained(outcome: TaskOutcome, meanings: Readonly<Record<number, string>>): TaskOutcome {
  const { status, exitCode, message } = outcome;
  const meaning = status === "ERROR" && exitCode !== null ? meanings[exitCode] : undefined;
  return meaning ? { ...outcome, message: `${message}: ${meaning}` } : outcome;
}
