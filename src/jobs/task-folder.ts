import { existsSync, mkdirSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { removeInstalls } from "../keys/installer.ts";

/** A task's own folder: nothing in it is shared with another task. */
export interface TaskFolder {
  root: string;
  /** The checkout; the program's working directory. */
  work: string;
  home: string;
  tmp: string;
  /** Keys, passwords, files with secrets; the first to go. */
  private: string;
  /** What the program's own reporter writes. */
  report: string;
  /** Of the Terraform family: the plan, and what makes it. */
  plan: string;
  /** What the runner keeps of its own. */
  kept: string;
  /** Output and exit code; the last thing to go. */
  spool: string;
  /** The same of the program that applies a plan that was confirmed. */
  applySpool: string;
}

export function taskFolder(tasksRoot: string, id: string): TaskFolder {
  const root = join(tasksRoot, id);
  const at = (name: string) => join(root, name);
  return {
    root,
    work: at("work"),
    home: at("home"),
    tmp: at("tmp"),
    plan: at("plan"),
    private: at("private"),
    report: at("private/report/result.json"),
    kept: at("kept"),
    spool: at("spool"),
    applySpool: at("apply"),
  };
}

/** Makes it anew. Synchronous, since that takes a tenth of a millisecond, and each way to the thread pool more. */
export async function makeTaskFolder(folder: TaskFolder): Promise<void> {
  if (existsSync(folder.root)) await removeWorkspace(folder);
  for (const path of [folder.work, folder.home, folder.tmp, folder.private])
    mkdirSync(path, { recursive: true, mode: 0o700 });
}

/** All but the spools. */
export async function removeWorkspace(folder: TaskFolder): Promise<void> {
  await removeInstalls(folder.private);
  await Promise.all([folder.work, folder.home, folder.tmp, folder.plan].map(removeTree));
}

export async function removeTaskFolder(folder: TaskFolder): Promise<void> {
  await removeInstalls(folder.private);
  await removeTree(folder.root);
}

/** Ids of tasks that have a folder. */
export async function listTaskFolders(tasksRoot: string): Promise<string[]> {
  return readdir(tasksRoot).catch(() => []);
}

/** A program may have made its folders read-only, or still write while it dies: try again a few times. */
async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}
