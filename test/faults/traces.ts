import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Task } from "../../gen/signalman/v1/task_pb.ts";
import type { TestService } from "../support/service.ts";

export const idOf = ({ name }: Pick<Task, "name">) => name.split("/").at(-1) ?? "";

export const taskFolder = (service: Pick<TestService, "dataDir">, task: Pick<Task, "name">) =>
  join(service.dataDir, "tasks", idOf(task));

/**
 * Returns the pids of all processes that carry the task's id in their environment: the program, its children, wrapper,
 * pumps.
 */
export function aliveOf(task: Pick<Task, "name">): number[] {
  const marker = new RegExp(`(^|\\0)SIGNALMAN_(TASK|PUMP)=${idOf(task)}`);
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => marker.test(readOr(`/proc/${pid}/environ`)))
    .map(Number);
}

function readOr(path: string, otherwise = ""): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return otherwise;
  }
}

/** Polls for a condition that no event announces. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((next) => setTimeout(next, 10));
}

/** Resolves when a file exists. */
export const appears = (path: string) => until(() => existsSync(path));

/**
 * Expects that nothing of an ended task is left. Its folder is removed right after its end was recorded. Its processes have
 * ended before, and are searched for several times, since a process shows no environment while it executes a program.
 */
export async function leavesNothing(
  service: Pick<TestService, "dataDir">,
  task: Pick<Task, "name">,
): Promise<void> {
  const alive = Array.from({ length: 3 }, () => aliveOf(task)).flat();
  if (alive.length > 0) throw new Error(`Processes ${alive} of ${task.name} are alive`);
  await until(() => !existsSync(taskFolder(service, task)));
}
