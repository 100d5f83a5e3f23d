import { readFileSync } from "node:fs";

/**
 * Where something is mounted in a folder, which is given by its real path, or on it; undefined: nowhere, as far as the
 * system tells. The device of a file does not tell: a folder of the same one may be mounted there.
 */
export function mountIn(folder: string): string | undefined {
  return mountPoints().find((point) => `${point}/`.startsWith(`${folder}/`));
}

/** None where there is no /proc. Field 5 of a line; blanks and backslashes are octal there (proc_pid_mountinfo(5)). */
function mountPoints(): string[] {
  try {
    return readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .map((line) => line.split(" ", 5)[4] ?? "")
      .map((point) =>
        point.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))),
      );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
