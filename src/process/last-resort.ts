import { spawn } from "node:child_process";

/**
 * Sends SIGKILL to this process in `seconds` seconds, unless it has ended by then. A helper process does that:
 * threads of the pool that hang in a read (a dead network mount) keep even process.exit() waiting, and a blocked
 * event loop runs no timers. The helper ends with this process, whose end it sees at its stdin, so it never kills
 * another process that was given the pid.
 */
export function killSelfIn(seconds: number): void {
  const script = 'timeout "$1" cat >/dev/null; [ $? -eq 124 ] && kill -KILL "$2"';
  const args = ["-c", script, "signalman-last-resort", String(seconds), String(process.pid)];
  const child = spawn("/bin/sh", args, { detached: true, env: {}, stdio: ["pipe", "ignore", "ignore"] });
  // If the system cannot start the helper, the process is not killed.
  child.on("error", () => {});
  child.stdin.on("error", () => {});
  child.unref();
  (child.stdin as unknown as { unref(): void }).unref();
}
