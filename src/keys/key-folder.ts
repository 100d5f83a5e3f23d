import { mkdirSync } from "node:fs";

/** Where keys are installed, and for which task. */
export interface Place {
  /** The task's private folder; 0700, and made when something is to be in it. */
  folder: string;
  /** What every process of the task carries. */
  marker: string;
  /** PATH, to find ssh-agent and ssh-add by. */
  path: string;
}

/** Makes a task's private folder; it may be there already. */
export function makePrivate(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
}
