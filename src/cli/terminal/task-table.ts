import type { Task } from "../../../gen/signalman/v1/task_pb.ts";
import { shortName, versionOf } from "../input/names.ts";
import { printable } from "./printable.ts";
import { reasonWord, statusStyle, statusWord } from "./status.ts";
import { table } from "./table.ts";
import { duration, rough, runningMs, since } from "./time.ts";

/** Why the task waits or did not succeed; else the caller's note. */
function remark({ waitingFor, end, message }: Task): string {
  if (waitingFor) return `waits: ${waitingFor.message}`;
  if (!end?.reason) return message;
  return [message, `${reasonWord(end.reason)}: ${end.message}`].filter(Boolean).join("; ");
}

/** Table of tasks for stdout. Column VERSION is there if a task has one, column BY if callers differ. */
export function taskTable(tasks: readonly Task[], width?: number): string[] {
  const hasVersions = tasks.some((task) => versionOf(task) !== "");
  const differ = new Set(tasks.map(({ createdBy }) => createdBy)).size > 1;
  const rows = tasks.map((task) => {
    const ran = runningMs(task);
    return [
      shortName(task.name),
      shortName(task.template),
      statusWord(task.status),
      task.createTime ? rough(since(task.createTime)) : "",
      ran === undefined ? "" : duration(ran),
      ...(hasVersions ? [versionOf(task)] : []),
      ...(differ ? [printable(task.createdBy)] : []),
      printable(remark(task)),
    ];
  });
  const style = (cell: string, row: number) => statusStyle(tasks[row]?.status, cell, process.stdout);
  const versions = hasVersions ? ["VERSION"] : [];
  const makers = differ ? ["BY"] : [];
  const header = ["TASK", "TEMPLATE", "STATUS", "AGE", "DURATION", ...versions, ...makers, "MESSAGE"];
  return table(header, rows, { width, styles: { 2: style } });
}
