import { styleText } from "node:util";
import {
  type EndReason,
  EndReasonSchema,
  TaskStatus,
  TaskStatusSchema,
} from "../../../gen/signalman/v1/task_pb.ts";

const COLORS: Partial<Record<TaskStatus, "green" | "red" | "yellow" | "cyan">> = {
  [TaskStatus.RUNNING]: "cyan",
  [TaskStatus.WAITING_CONFIRMATION]: "yellow",
  [TaskStatus.STOPPING]: "yellow",
  [TaskStatus.STOPPED]: "yellow",
  [TaskStatus.SUCCESS]: "green",
  [TaskStatus.ERROR]: "red",
};

/** Name of a status, such as `RUNNING`; its number if this release does not know it. */
export function statusWord(status: TaskStatus): string {
  return TaskStatusSchema.value[status]?.localName ?? String(status);
}

/** Name of an end reason, such as `EXIT_CODE`; its number if this release does not know it. */
export function reasonWord(reason: EndReason): string {
  return EndReasonSchema.value[reason]?.localName ?? String(reason);
}

/** The text in the color of a status, where the stream is a terminal and NO_COLOR is not set. */
export function statusStyle(
  status: TaskStatus | undefined,
  text: string,
  stream: NodeJS.WriteStream,
): string {
  const color = status === undefined ? undefined : COLORS[status];
  return color ? styleText(color, text, { stream }) : text;
}

/** Exit code of the command line for the final status of a task. */
export function exitCodeOf(status: TaskStatus): 0 | 1 | 3 {
  if (status === TaskStatus.SUCCESS) return 0;
  return status === TaskStatus.STOPPED ? 3 : 1;
}
