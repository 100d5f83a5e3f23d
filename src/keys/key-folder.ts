import { mkdirSync } from "node:fs";

/** The folder of a task's keys, and what finds the task's processes. */
export interface KeyFolder {
  /** The task's private folder; 0700, and made when something is to be in it. */
  folder: string;
  /** The marker in the environment of every process of the task. */
  marker: string;
  /** PATH, to find ssh-agent and ssh-add by. */
  path: string;
}

/** Makes a task's private folder; it may be there already. */
export function makePrivate(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
}
