import { styleText } from "node:util";
import { type TaskEnd, TaskStatus } from "../../gen/signalman/v1/task_pb.ts";

const COLORS: Partial<Record<TaskStatus, "green" | "red" | "yellow" | "cyan">> = {
  [TaskStatus.RUNNING]: "cyan",
  [TaskStatus.STOPPING]: "yellow",
  [TaskStatus.STOPPED]: "yellow",
  [TaskStatus.SUCCESS]: "green",
  [TaskStatus.ERROR]: "red",
};

/** The text in the color of a status, where the stream is a terminal and NO_COLOR is not set. */
export function statusStyle(
  status: TaskStatus | undefined,
  text: string,
  stream: NodeJS.WriteStream,
): string {
  const color = status === undefined ? undefined : COLORS[status];
  return color ? styleText(color, text, { stream }) : text;
}

/** What a task's end means to whoever called us. */
export function exitCodeOf(status: TaskStatus): 0 | 1 | 3 {
  if (status === TaskStatus.SUCCESS) return 0;
  return status === TaskStatus.STOPPED ? 3 : 1;
}

/** `: The program ended with exit code 3`; empty for a success. */
export function explain(end: TaskEnd | undefined): string {
  return end?.message ? `: ${end.message}` : "";
}
