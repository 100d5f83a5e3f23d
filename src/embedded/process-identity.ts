import { readdir, readFile, readlink } from "node:fs/promises";
import { execa } from "execa";

/** Identifies a process: pids are reused, a pid with its start time is not. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start time, in the unit that the system uses. */
  readonly started: string;
}

/** Whether /proc exists. Elsewhere `ps` tells less, and the processes in a folder cannot be listed. */
export const canListProcesses = process.platform === "linux";

/** Returns the identity of a process; undefined if there is none, or only its zombie. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const started = canListProcesses ? await startTicks(pid) : await ps(pid, "lstart=");
  return started === undefined ? undefined : { pid, started };
}

export async function isAlive(process: ProcessIdentity): Promise<boolean> {
  return (await identify(process.pid))?.started === process.started;
}

/** Returns whether a process is a PostgreSQL on these data: it changes into its data folder and stays there. */
export async function worksIn(pid: number, data: string): Promise<boolean> {
  if (canListProcesses) return (await readlink(`/proc/${pid}/cwd`).catch(() => undefined)) === data;
  return (await ps(pid, "command="))?.includes(data) ?? false;
}

/** Returns whether a process runs this very file, not one that an upgrade replaced. True where that cannot be known. */
export async function runsProgram(pid: number, program: string): Promise<boolean> {
  return !canListProcesses || (await readlink(`/proc/${pid}/exe`).catch(() => undefined)) === program;
}

/** Returns the pids of a PostgreSQL on these data, postmaster and sessions. Only where processes can be listed. */
export async function processesIn(data: string): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const working = await Promise.all(pids.map((pid) => worksIn(pid, data)));
  return pids.filter((_, index) => working[index]);
}

/**
 * Returns the start time in clock ticks; undefined for a zombie. In proc(5), stat, the state follows the name in
 * parentheses, and the start time 19 fields later.
 */
async function startTicks(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields === undefined || fields[0] === "Z" ? undefined : fields[19];
}

async function ps(pid: number, column: string): Promise<string | undefined> {
  const { stdout, failed } = await execa("ps", ["-o", column, "-p", String(pid)], { reject: false });
  return failed ? undefined : stdout.trim();
}
