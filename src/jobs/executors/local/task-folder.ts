import { existsSync, lstatSync, mkdirSync } from "node:fs";
import { mkdir, readdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { letPass, makeFolder, type Owner } from "../../../files/owned.ts";
import { removeInstalls } from "../../../keys/installer.ts";
import { mountIn } from "../../../process/mounts.ts";
import { removeTree } from "../../../process/remove-tree.ts";
import { messageOf, PrepareError } from "../../../task/errors.ts";

/** Paths in a task's own folder, which shares nothing with other tasks. */
export interface TaskFolder {
  root: string;
  /** Workspace: the checkout, in which the program runs. */
  work: string;
  home: string;
  tmp: string;
  /** Folder for keys, passwords and files with secrets; removed first. */
  private: string;
  /** File in which Ansible's callback plugin reports results. */
  report: string;
  /** Folder of the Terraform family: the plan and the scripts that make and apply it. */
  plan: string;
  /** File of the runner: the bytes stored by `Job.keep`. */
  kept: string;
  /** File with the paths outside of this folder from which the workspace borrows: a JSON list. */
  sources: string;
  /** Folder for the program's output and exit code; removed last. */
  spool: string;
  /** Spool of the program that applies a confirmed plan. */
  applySpool: string;
  /** User who gets what the task's programs read and write; undefined: the server's. The rest stays the server's. */
  owner: Owner | undefined;
}

export function taskFolder(tasksRoot: string, id: string, owner?: Owner): TaskFolder {
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
    sources: at("sources"),
    spool: at("spool"),
    applySpool: at("apply"),
    owner,
  };
}

/**
 * Makes the folder of all task folders with mode 0700 and sets the attribute T on it. ext4 allocates the inodes of new folders
 * near their parent, and first scans the inodes deleted there in the last minutes (`recently_deleted`): with many short tasks
 * that took 5 ms for each. With T, ext4 spreads the subfolders over the disk. File systems without T have no such delay.
 */
export async function makeTasksRoot(tasksRoot: string): Promise<string> {
  await mkdir(tasksRoot, { recursive: true, mode: 0o700 });
  await execa("chattr", ["+T", tasksRoot], { reject: false, stdio: "ignore", timeout: 5000 });
  return realpath(tasksRoot);
}

/** Makes an empty task folder in place of an earlier one. Synchronous: that takes 0.1 ms, less than the thread pool. */
export async function makeTaskFolder(folder: TaskFolder): Promise<void> {
  if (lstatSync(folder.root, { throwIfNoEntry: false })) await removeWorkspace(folder);
  completeTaskFolder(folder);
}

/** Makes the parts of a task folder that are missing. */
export function completeTaskFolder({ root, work, home, tmp, owner }: TaskFolder): void {
  if (!existsSync(root)) {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    if (owner) letPass(root);
  }
  for (const path of [work, home, tmp]) if (!existsSync(path)) makeFolder(path, owner);
}

/**
 * Asserts that a task continues as the user as whom it began, since another user cannot read its folder.
 * @throws Error if the settings of the server name another user by now
 */
export function assertSameUser({ work, owner }: TaskFolder): void {
  const begun = lstatSync(work, { throwIfNoEntry: false })?.uid;
  const server = process.geteuid?.();
  const now = owner?.uid ?? server;
  if (server === 0 && begun !== undefined && begun !== now)
    throw new PrepareError(
      `Cannot go on with the task: it has begun as the user with the id ${begun}, and this server would go on as ${now} (SIGNALMAN_RUN_AS_USERS); run the template again`,
    );
}

/**
 * Removes everything in a task's folder but the spools and the kept bytes. If a program has replaced the folder by a link or
 * a file, that is removed; the target of the link stays.
 * @throws Error if something is mounted below the folder: removing it would empty the mounted file system.
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

/** Removes a task's folder with everything in it. @throws as `removeWorkspace` does. */
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
 * Returns the ids of tasks that have a folder.
 * @throws errors of the file system, such as EMFILE: an empty list would be wrong then.
 */
export async function listTaskFolders(tasksRoot: string): Promise<string[]> {
  return readdir(tasksRoot).catch(orMissing([]));
}

/** Returns a handler that turns ENOENT into `value` and rethrows every other error. */
export const orMissing =
  <T>(value: T) =>
  (error: NodeJS.ErrnoException): T => {
    if (error.code === "ENOENT") return value;
    throw error;
  };
