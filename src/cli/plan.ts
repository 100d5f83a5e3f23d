import type { TaskPlan } from "../../gen/signalman/v1/task_pb.ts";
import { printableLines } from "./terminal/printable.ts";

/** Counts of a plan: `1 to add, 0 to change, 0 to destroy`. */
export function changesOf({ add, change, destroy }: TaskPlan): string {
  return `${add} to add, ${change} to change, ${destroy} to destroy`;
}

/** Text of a plan, made safe for a terminal. */
export function planText(text: string): string {
  return printableLines(text).trim();
}
