import { mkdirSync } from "node:fs";

/** The folder of a task's keys, with the marker of the task's processes. */
export interface KeyFolder {
  /** Path of the task's private folder (mode 0700), which is created when the first file is written. */
  folder: string;
  /** The marker in the environment of every process of the task. */
  marker: string;
  /** PATH by which ssh-agent and ssh-add are found. */
  path: string;
}

/** Creates a task's private folder if it is missing. */
export function makePrivate(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
}
