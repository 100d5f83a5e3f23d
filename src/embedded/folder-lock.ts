import { spawn } from "node:child_process";
import { closeSync, ftruncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { openOrCreate, readRegular } from "../files/regular-file.ts";
import { DataFolderInUse } from "./errors.ts";

/** Both lock the file description behind fd 3 and exit: flock(1) of util-linux or busybox; perl where macOS has none. */
const LOCKERS: [string, ...string[]][] = [
  ["flock", "-n", "3"],
  ["perl", "-e", 'use Fcntl ":flock"; open(F, "<&=3") or exit 2; exit(flock(F, LOCK_EX | LOCK_NB) ? 0 : 1)'],
];
const HELD_BY_ANOTHER = 1;

/**
 * Takes the kernel lock on `<folder>/lock` and writes this process's pid into the file.
 *
 * flock(2) belongs to the open file description, which the locking child shares with us for as long as it lives
 * and which is ours alone afterwards: Node opens files close-on-exec. The kernel lets go when we die, however
 * we die. The file is never removed, or two processes could each lock a file of that name.
 *
 * @returns a function that lets go
 * @throws DataFolderInUse
 */
export async function lockFolder(folder: string): Promise<() => void> {
  // A bare descriptor: a FileHandle would let go when it is garbage collected.
  const fd = openOrCreate(join(folder, "lock"), "overwrite");
  try {
    if (!(await tryLock(fd, folder))) throw new DataFolderInUse(folder, pidIn(join(folder, "lock")));
    writePid(fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return () => closeSync(fd);
}

/** For the message to another process that wants the folder. A disk that is full is no reason not to start again. */
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
    `Cannot lock the data folder ${folder}: there is neither flock (util-linux) nor perl on PATH.`,
  );
}

type Outcome = { code: number | string; complaint: string };

/** The program finds `fd` as its descriptor 3. */
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
