import { spawn } from "node:child_process";
import { closeSync, ftruncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { openOrCreate, readRegular } from "../files/regular-file.ts";
import { DataFolderInUseError } from "./errors.ts";

/**
 * Commands that lock the file of descriptor 3 and exit: flock(1) of util-linux or BusyBox; perl where
 * macOS lacks flock.
 */
const LOCKERS: [string, ...string[]][] = [
  ["flock", "-n", "3"],
  ["perl", "-e", 'use Fcntl ":flock"; open(F, "<&=3") or exit 2; exit(flock(F, LOCK_EX | LOCK_NB) ? 0 : 1)'],
];
const HELD_BY_ANOTHER = 1;

/**
 * Takes the kernel lock on `<folder>/lock` and writes this process's pid into the file.
 *
 * A lock of flock(2) belongs to the open file description. The locking child shares it with this process while it
 * lives; then this process holds it alone, since Node opens files close-on-exec. The kernel releases the lock when
 * the process ends in any way. The file is never removed, or two processes could each lock a file of that name.
 *
 * @returns a function that releases the lock
 * @throws DataFolderInUseError
 */
export async function lockFolder(folder: string): Promise<() => void> {
  // A bare descriptor, since a FileHandle would release the lock when it is garbage collected.
  const fd = openOrCreate(join(folder, "lock"), "overwrite");
  try {
    if (!(await tryLock(fd, folder))) throw new DataFolderInUseError(folder, pidIn(join(folder, "lock")));
    writePid(fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return () => closeSync(fd);
}

/**
 * Writes the pid that another process names when it finds the folder locked. A full disk does not prevent the start.
 */
function writePid(fd: number): void {
  try {
    ftruncateSync(fd);
    writeSync(fd, `${process.pid}\n`, 0);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOSPC" && code !== "EDQUOT") throw error;
  }
}

async function tryLock(fd: number, folder: string): Promise<boolean> {
  for (const [command, ...args] of LOCKERS) {
    const { code, complaint } = await runWithDescriptor(fd, command, args);
    if (code === 0) return true;
    if (code === HELD_BY_ANOTHER && complaint === "") return false;
    if (code === "ENOENT") continue;
    throw new Error(`Cannot lock the data folder ${folder}: ${command} ended with ${code}: ${complaint}`);
  }
  throw new Error(
    `Cannot lock the data folder ${folder}: there is neither flock nor perl on PATH. Install util-linux or perl.`,
  );
}

type Outcome = { code: number | string; complaint: string };

/** Runs a program that gets `fd` as its descriptor 3. */
function runWithDescriptor(fd: number, command: string, args: string[]): Promise<Outcome> {
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe", fd] });
  let complaint = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    complaint += text;
  });
  return new Promise((resolve) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      resolve({ code: error.code ?? "no code", complaint: error.message }),
    );
    child.once("close", (code, signal) => resolve({ code: code ?? signal ?? "no code", complaint }));
  });
}

function pidIn(lockFile: string): number | undefined {
  const pid = Number.parseInt(String(readRegular(lockFile, { maxBytes: 4096 })), 10);
  return Number.isNaN(pid) ? undefined : pid;
}
