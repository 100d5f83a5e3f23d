import { randomUUID } from "node:crypto";
import { closeSync, existsSync, openSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Launcher } from "../../../process/launcher.ts";
import { messageOf } from "../../../task/errors.ts";

/** Disk space, 1 MiB, that a small workspace and its first output need. */
const ROOM = Buffer.alloc(1024 * 1024);
/** File descriptors that the start of a program needs at once: pipes, files, /proc. */
const DESCRIPTORS = 16;
/** Shell script that starts as many processes as a program's start does. A shell that cannot fork ends before it writes $0. */
const PROCESSES = `cat </dev/null | cat | cat | cat | cat | cat && : >"$0"`;
/** Milliseconds for the whole probe. The limit is generous, since a loaded machine is slow but able to run tasks. */
const DEADLINE_MS = 30_000;

/** Folder of all task folders, and the launcher that starts programs. */
interface Machine {
  tasksRoot: string;
  launcher: Launcher;
}

/**
 * Probes whether this machine can run tasks: makes a folder with a file beside the task folders, opens files, and starts
 * processes. Returns why that fails; undefined: it works.
 */
export async function probeMachine(machine: Machine): Promise<string | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<string>();
  const timer = setTimeout(
    resolve,
    DEADLINE_MS,
    `starting a process took longer than ${DEADLINE_MS / 1000} s`,
  );
  try {
    return await Promise.race([tryAll(machine), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function tryAll({ tasksRoot, launcher }: Machine): Promise<string | undefined> {
  const folder = join(tasksRoot, `probe-${randomUUID()}`);
  try {
    await mkdir(folder, { mode: 0o700 });
    await writeFile(join(folder, "room"), ROOM, { mode: 0o600 });
    openMany();
    return await startProcesses(folder, launcher);
  } catch (error) {
    return messageOf(error);
  } finally {
    await rm(folder, { recursive: true, force: true }).catch(() => {});
  }
}

function openMany(): void {
  const opened: number[] = [];
  try {
    while (opened.length < DESCRIPTORS) opened.push(openSync("/dev/null", "r"));
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

async function startProcesses(folder: string, launcher: Launcher): Promise<string | undefined> {
  const done = join(folder, "done");
  const env = { PATH: process.env.PATH ?? "/usr/bin:/bin" };
  const { ended } = await launcher.start({
    file: "/bin/sh",
    args: ["-c", PROCESSES, done],
    cwd: folder,
    env,
  });
  await ended;
  return existsSync(done) ? undefined : "a shell cannot start six processes";
}
