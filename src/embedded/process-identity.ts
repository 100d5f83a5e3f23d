import { readdir, readFile, readlink } from "node:fs/promises";
import { execa } from "execa";

/** A process that cannot be confused with a later one of the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** when it started, in whatever unit the system says it */
  readonly started: string;
}

/** Linux: /proc tells all. Elsewhere `ps` tells less, and nobody lists the processes in a folder. */
export const canListProcesses = process.platform === "linux";

/** Undefined if there is no such process, or only its zombie. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const started = canListProcesses ? await startTicks(pid) : await ps(pid, "lstart=");
  return started === undefined ? undefined : { pid, started };
}

export async function isAlive(process: ProcessIdentity): Promise<boolean> {
  return (await identify(process.pid))?.started === process.started;
}

/** Whether the process is a PostgreSQL on these data: it changes into its data folder and stays there. */
export async function worksIn(pid: number, data: string): Promise<boolean> {
  if (canListProcesses) return (await readlink(`/proc/${pid}/cwd`).catch(() => undefined)) === data;
  return (await ps(pid, "command="))?.includes(data) ?? false;
}

/** Whether the process runs this very file, not one that was there before an upgrade. True where nobody can tell. */
export async function runsProgram(pid: number, program: string): Promise<boolean> {
  return !canListProcesses || (await readlink(`/proc/${pid}/exe`).catch(() => undefined)) === program;
}

/** Processes of a PostgreSQL on these data, postmaster or not. Only where they can be listed. */
export async function processesIn(data: string): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const working = await Promise.all(pids.map((pid) => worksIn(pid, data)));
  return pids.filter((_, index) => working[index]);
}

/** proc(5): after the name in parentheses come the state and, 19 fields on, the start time in clock ticks. */
async function startTicks(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields === undefined || fields[0] === "Z" ? undefined : fields[19];
}

async function ps(pid: number, column: string): Promise<string | undefined> {
  const { stdout, failed } = await execa("ps", ["-o", column, "-p", String(pid)], { reject: false });
  return failed ? undefined : stdout.trim();
}
