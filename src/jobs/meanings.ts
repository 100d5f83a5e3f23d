import type { TaskOutcome } from "../task/types.ts";

/** What an exit code means; undefined: that is not known, or the task did not fail by one. */
export function meaningOf(
  { status, exitCode }: TaskOutcome,
  meanings: Readonly<Record<number, string>>,
): string | undefined {
  return status === "ERROR" && exitCode !== null ? meanings[exitCode] : undefined;
}
