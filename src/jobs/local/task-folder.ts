import { lstatSync, mkdirSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { removeInstalls } from "../../keys/installer.ts";
import { mountIn } from "../../process/mounts.ts";
import { removeTree } from "../../process/remove-tree.ts";
import { messageOf } from "../../task/errors.ts";

/** A task's own folder: nothing in it is shared with another task. */
export interface TaskFolder {
  root: string;
  /** The checkout; the program's working directory. */
  work: string;
  home: string;
  tmp: string;
  /** Keys, passwords, files with secrets, if there are any; the first to go. */
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

/**
 * Makes the folder of all task folders, 0700. ext4 puts what is made in a folder near it, and before it gives out an inode
 * it looks at all that were deleted near there in the last minutes (`recently_deleted`): many short tasks paid 5 ms each
 * for that. With the attribute T a folder's folders have nothing to do with each other, and are spread over the disk. Where
 * there is no such thing, nothing is missing.
 */
export async function makeTasksRoot(tasksRoot: string): Promise<string> {
  await mkdir(tasksRoot, { recursive: true, mode: 0o700 });
  await execa("chattr", ["+T", tasksRoot], { reject: false, stdio: "ignore", timeout: 5000 });
  return tasksRoot;
}

/** Makes it anew. Synchronous, since that takes a tenth of a millisecond, and each way to the thread pool more. */
export async function makeTaskFolder(folder: TaskFolder): Promise<void> {
  if (lstatSync(folder.root, { throwIfNoEntry: false })) await removeWorkspace(folder);
  mkdirSync(folder.root, { recursive: true, mode: 0o700 });
  for (const path of [folder.work, folder.home, folder.tmp]) mkdirSync(path, { mode: 0o700 });
}

/**
 * All but the spools. If a program put something else in the folder's place, that goes: what a link leads to stays.
 * @throws if a program has mounted something there: that is not the task's, and would be emptied.
 */
export async function removeWorkspace(folder: TaskFolder): Promise<void> {
  if (isReplaced(folder)) return removeTree(folder.root);
  await removeInstalls(folder.private);
  assertNoMount(folder);
  const parts = [folder.work, folder.home, folder.tmp, folder.plan];
  const removed = await Promise.allSettled(parts.map(removeTree));
  const failures = removed.flatMap((one) => (one.status === "rejected" ? [messageOf(one.reason)] : []));
  if (failures.length > 0) throw new Error(failures.join("; "));
}

/** @throws as removeWorkspace does. */
export async function removeTaskFolder(folder: TaskFolder): Promise<void> {
  if (isReplaced(folder)) return removeTree(folder.root);
  await removeInstalls(folder.private);
  assertNoMount(folder);
  await removeTree(folder.root);
}

const isReplaced = ({ root }: TaskFolder): boolean =>
  lstatSync(root, { throwIfNoEntry: false })?.isDirectory() === false;

function assertNoMount({ root }: TaskFolder): void {
  const mount = mountIn(root);
  if (mount !== undefined) throw new Error(`something is mounted at ${mount}; unmount it`);
}

/**
 * Ids of tasks that have a folder.
 * @throws what the file system throws, a shortage of descriptors for example: that list would be wrong, not empty.
 */
export async function listTaskFolders(tasksRoot: string): Promise<string[]> {
  return readdir(tasksRoot).catch(orMissing([]));
}

/** For what is not there; every other error is thrown on. */
export const orMissing =
  <T>(value: T) =>
  (error: NodeJS.ErrnoException): T => {
    if (error.code === "ENOENT") return value;
    throw error;
  };
