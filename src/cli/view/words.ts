import { styleText } from "node:util";
import { EndReason, type StatusChange, type Task, TaskStatus } from "../../../gen/signalman/v1/task_pb.ts";
import { shortName, versionOf } from "../input/names.ts";
import { printable } from "../terminal/printable.ts";
import { reasonWord, statusStyle, statusWord } from "../terminal/status.ts";
import { clock, duration, runningMs, since } from "../terminal/time.ts";
import { cut } from "../terminal/width.ts";

const HINT = "Ctrl-C leaves, twice kills";

/** Status line, cut to the columns: `RUNNING 0:12 demo/hello  Ctrl-C leaves, twice kills`. */
export function statusText(task: Task | undefined, columns: number): string {
  if (!task) return "";
  const word = statusWord(task.status);
  const elapsed = runningMs(task) ?? (task.createTime ? since(task.createTime) : 0);
  const rest = cut(
    ` ${clock(elapsed)} ${shortName(task.template)}${version(task, " ")}  ${HINT}`,
    columns - word.length,
  );
  return statusStyle(task.status, word, process.stderr) + styleText("dim", rest, { stream: process.stderr });
}

/**
 * Last line of a watch: `demo/0192… ERROR after 3.2 s (version 1.0.3): The program ended with exit code 3`. The reason is
 * left out if it equals the last line shown.
 */
export function summary(task: Task, lastSaid: string): string {
  const ran = runningMs(task);
  const after = ran === undefined ? "" : ` after ${duration(ran)}`;
  const status = statusStyle(task.status, statusWord(task.status), process.stderr);
  return `${shortName(task.name)} ${status}${after}${version(task, " (version ", ")")}${why(task, lastSaid)}`;
}

/** Why a status changed, and the caller who caused it: `the plan was confirmed (by token)`; empty if neither is known. */
export function cause({ status, message, end, by }: StatusChange): string {
  const text = end?.message || message || CAUSES[status] || "";
  return text && `${printable(text)}${byWhom(by)}`;
}

/** Messages for statuses that come without one. */
const CAUSES: Partial<Record<TaskStatus, string>> = {
  [TaskStatus.CONFIRMED]: "the plan was confirmed",
  [TaskStatus.REJECTED]: "the plan was rejected",
};

/** Empty for changes that the service made, and on servers that do not tell callers apart. */
const byWhom = (name: string) => (name === "" || name === "anonymous" ? "" : ` (by ${printable(name)})`);

function version(task: Task, before: string, behind = ""): string {
  const text = versionOf(task);
  return text && `${before}${text}${behind}`;
}

function why({ end, kill }: Task, lastSaid: string): string {
  if (end?.reason === EndReason.STOPPED_BY_USER && kill?.reason) return `: killed: ${printable(kill.reason)}`;
  if (!end || end.reason === EndReason.UNSPECIFIED || end.message === lastSaid) return "";
  return `: ${printable(end.message || reasonWord(end.reason))}`;
}
