import { execFile } from "node:child_process";
import { sweepMarked } from "../process/kill-by-marker.ts";

export interface Version {
  /** The first line that is not empty, at most 200 characters. */
  version?: string;
  /** Why the program cannot be started. */
  trouble?: string;
}

const PATIENCE_MS = 2000;
const MOST_BYTES = 64 * 1024;
const MOST_CHARACTERS = 200;
/** What shells, and the shims of version managers, say of a program that they cannot execute. */
const NOT_EXECUTED: readonly unknown[] = [126, 127];

/**
 * What a program answers to `--version`. One that does not know the option, or thinks for longer than 2 s, may be fine
 * all the same: it just has no version.
 * @param marker is put into its environment, as SIGNALMAN_TASK, to find what it leaves behind
 */
export function probeVersion(
  path: string,
  env: Readonly<Record<string, string>>,
  marker: string,
): Promise<Version> {
  return new Promise((resolve) => {
    const settings = {
      cwd: env.HOME,
      env: { ...env, SIGNALMAN_TASK: marker },
      timeout: PATIENCE_MS,
      killSignal: "SIGKILL",
      maxBuffer: MOST_BYTES,
    } as const;
    // Unlike a promise of the same, it also ends when somebody else holds the output open: at the time limit.
    const child = execFile(path, ["--version"], settings, async (error, stdout, stderr) => {
      if (error?.killed) await sweepMarked(marker).catch(() => {});
      if (!error) return resolve({ version: firstLine(stdout) ?? firstLine(stderr) });
      if (typeof error.code === "string" && error.code !== "ERR_CHILD_PROCESS_STDIO_MAXBUFFER")
        return resolve({ trouble: error.code });
      return resolve(
        NOT_EXECUTED.includes(error.code) ? { trouble: firstLine(stderr) ?? error.message } : {},
      );
    });
    child.stdin?.on("error", () => {}); // it did not read
    child.stdin?.end();
  });
}

function firstLine(text: string): string | undefined {
  const line = text
    .split("\n")
    .map((one) => one.trim())
    .find((one) => one !== "");
  return line?.slice(0, MOST_CHARACTERS).toWellFormed();
}
