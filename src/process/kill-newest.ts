import { pidMax, readForks, readProc, readVariables, send } from "./proc.ts";
import { taskVariable } from "./scan.ts";
import type { TaskProcesses } from "./task-processes.ts";

const newest = 24;
const idlePasses = 8;
const patienceMs = 30;

/**
 * For chains of processes that fork a successor and die: a whole scan is too slow, each is gone before the blow.
 * Tries the pids that were handed out last, newest first and without any listing, and signals at once whoever carries
 * the task's marker. Synchronous: 0.3 ms a pass, one pass for SIGTERM, for SIGKILL until some passes in a row meet
 * nobody, at most 30 ms. Returns how many were met.
 */
export function killNewest(family: TaskProcesses, signal: "SIGTERM" | "SIGKILL"): number {
  const until = performance.now() + patienceMs;
  let met = 0;
  for (let idle = 0; idle < idlePasses && performance.now() < until; ) {
    const inPass = killOnce(family, signal);
    if (signal === "SIGTERM") return inPass;
    idle = inPass > 0 ? 0 : idle + 1;
    met += inPass;
  }
  return met;
}

function killOnce(family: TaskProcesses, signal: "SIGTERM" | "SIGKILL"): number {
  const { newestPid } = readForks();
  let met = 0;
  for (let age = 0; age < newest; age++) {
    // Pids count upwards and around.
    const pid = newestPid > age ? newestPid - age : newestPid - age + pidMax();
    if (isPrey(pid, family) && send(pid, signal) === "sent") met++;
  }
  return met;
}

function isPrey(pid: number, { marker, wrapper }: TaskProcesses): boolean {
  if (readVariables(pid, [taskVariable]).values[0] !== marker) return false;
  const proc = readProc(pid);
  return proc !== undefined && !proc.dead && proc.sid !== wrapper.pid && proc.start >= wrapper.start;
}
