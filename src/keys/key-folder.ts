import { existsSync, mkdirSync } from "node:fs";
import { makeFolder, type Owner } from "../files/owned.ts";
import type { TaskUser } from "../process/task-user.ts";

/** The folder of a task's keys, with the marker of the task's processes. */
export interface KeyFolder {
  /** Path of the task's private folder (mode 0700), which is created when the first file is written. */
  folder: string;
  /** The marker in the environment of every process of the task. */
  marker: string;
  /** PATH by which ssh-agent and ssh-add are found. */
  path: string;
  /** User as whom the task runs, who gets the keys; undefined: the server's. */
  user?: TaskUser | undefined;
}

/** Creates a task's private folder if it is missing. */
export function makePrivate(folder: string, owner?: Owner): void {
  if (!owner) mkdirSync(folder, { recursive: true, mode: 0o700 });
  else if (!existsSync(folder)) makeFolder(folder, owner);
}
