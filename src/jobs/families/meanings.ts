import type { TaskOutcome } from "../../task/types.ts";

/** Explains the exit code of a failed task; undefined: the code has no explanation, or the task did not fail by one. */
export function meaningOf(
  { status, exitCode }: TaskOutcome,
  meanings: Readonly<Record<number, string>>,
): string | undefined {
  return status === "ERROR" && exitCode !== null ? meanings[exitCode] : undefined;
}
