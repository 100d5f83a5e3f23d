import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { LaunchReport, LaunchRequest } from "./launcher.ts";
import { readProc } from "./proc.ts";

/*
 * Main module of the launcher process (launcher.ts). The launcher ends with the server; the programs that it started
 * go on. It stays small and does nothing else, so that it forks fast.
 */

const WRAPPER = fileURLToPath(new URL("./wrapper.sh", import.meta.url));
/** Descriptor of the script, kept open since an upgrade of the package replaces the file while the server runs. */
const WRAPPER_FD = openSync(WRAPPER, "r");

process.title = "signalman-launcher";
process.on("message", start);
process.on("disconnect", () => process.exit());

function start({ id, command }: LaunchRequest): void {
  const report = (what: LaunchReport): void => void process.send?.(what, undefined, {}, () => {});
  const fail = (error: unknown): void => {
    const { message, code } = error as NodeJS.ErrnoException;
    report({ id, kind: "failed", message, code });
  };
  let stdin: number | undefined;
  try {
    const { file, args, stdin: script, ...options } = command;
    stdin = script && openWrapper();
    const child = spawn(file, args, {
      ...options,
      detached: true,
      stdio: [stdin ?? "ignore", "ignore", "ignore"],
    });
    const { pid } = child;
    child.once("error", fail);
    if (pid === undefined) return;
    // The child is not reaped before the next tick, so its start time can be read even if it has ended. 0: no /proc.
    report({ id, kind: "started", pid, start: readProc(pid)?.start ?? 0 });
    child.once("exit", (_, signal) =>
      report({ id, kind: "ended", end: signal === null ? "exit" : "signal" }),
    );
  } catch (error) {
    fail(error);
  } finally {
    if (stdin !== undefined) closeSync(stdin);
  }
}

/** Opens the script anew, since each wrapper needs its own file offset. Without /proc, opens the file now at its path. */
function openWrapper(): number {
  const kept = `/proc/self/fd/${WRAPPER_FD}`;
  return openSync(existsSync(kept) ? kept : WRAPPER, "r");
}
