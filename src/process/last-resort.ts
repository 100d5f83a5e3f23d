import { spawn } from "node:child_process";

/**
 * Ends this process by SIGKILL in so many seconds, unless it has ended by then. Another process does that: threads of the
 * pool that hang in a read (a dead network mount) keep even process.exit() waiting, and a blocked event loop has no timers.
 * It ends with this process, whose end it sees at its stdin, so it never kills another one that got the number.
 */
export function killSelfIn(seconds: number): void {
  const script = 'timeout "$1" cat >/dev/null; [ $? -eq 124 ] && kill -KILL "$2"';
  const args = ["-c", script, "signalman-last-resort", String(seconds), String(process.pid)];
  const child = spawn("/bin/sh", args, { detached: true, env: {}, stdio: ["pipe", "ignore", "ignore"] });
  // Without descriptors or processes to spare there is no last resort.
  child.on("error", () => {});
  child.stdin.on("error", () => {});
  child.unref();
  (child.stdin as unknown as { unref(): void }).unref();
}
