import { spawn } from "node:child_process";
import type { LaunchReport, LaunchRequest } from "./launcher.ts";
import { readProc } from "./proc.ts";

/*
 * The launcher's own process (launcher.ts). It ends with the server; the programs do not. Since it stays small and does
 * nothing else, it forks fast.
 */

process.title = "signalman-launcher";
process.on("message", start);
process.on("disconnect", () => process.exit());

function start({ id, command }: LaunchRequest): void {
  const report = (what: LaunchReport): void => void process.send?.(what, undefined, {}, () => {});
  const fail = (error: unknown): void => {
    const { message, code } = error as NodeJS.ErrnoException;
    report({ id, kind: "failed", message, code });
  };
  try {
    const { file, args, cwd, env } = command;
    const child = spawn(file, args, { cwd, env, detached: true, stdio: "ignore" });
    const { pid } = child;
    child.once("error", fail);
    if (pid === undefined) return;
    // Not reaped before the next tick, so it is there, dead or alive; 0: a system without /proc.
    report({ id, kind: "started", pid, start: readProc(pid)?.start ?? 0 });
    child.once("exit", (_, signal) =>
      report({ id, kind: "ended", end: signal === null ? "exit" : "signal" }),
    );
  } catch (error) {
    fail(error);
  }
}
