import { execFile } from "node:child_process";
import { sweepMarked } from "../../process/kill-by-marker.ts";

export interface Version {
  /** The first line that is not empty, at most 200 characters. */
  version?: string;
  /** Why the program cannot be started; undefined: it can. */
  trouble?: string;
}

const PATIENCE_MS = 2000;
const MOST_BYTES = 64 * 1024;
const MOST_CHARACTERS = 200;
/** Exit codes of shells, and of the shims of version managers, for a program that they cannot execute. */
const NOT_EXECUTED: readonly unknown[] = [126, 127];

/**
 * Asks a program for its version by `--version`. A program that does not know the option, or takes longer than 2 s, may work
 * all the same: the result is then empty.
 * `marker`: value of SIGNALMAN_TASK in its environment, by which processes that it leaves are found
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
    // The callback form also ends, at the time limit, if another process holds the output open; the promise form does not.
    const child = execFile(path, ["--version"], settings, async (error, stdout, stderr) => {
      if (error?.killed) await sweepMarked(marker).catch(() => {});
      if (!error) return resolve({ version: firstLine(stdout) ?? firstLine(stderr) });
      if (typeof error.code === "string" && error.code !== "ERR_CHILD_PROCESS_STDIO_MAXBUFFER")
        return resolve({ trouble: error.code });
      return resolve(
        NOT_EXECUTED.includes(error.code) ? { trouble: firstLine(stderr) ?? error.message } : {},
      );
    });
    child.stdin?.on("error", () => {}); // the program did not read its input
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
