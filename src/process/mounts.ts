import { readFileSync } from "node:fs";

/**
 * Returns a mount point inside a folder or on it; undefined if the system shows none. `folder` is a real path.
 * Comparing device numbers would not do, since a folder of the same device may be bind-mounted there.
 */
export function mountIn(folder: string): string | undefined {
  return mountPoints().find((point) => `${point}/`.startsWith(`${folder}/`));
}

/**
 * Returns all mount points; none where there is no /proc. The path is field 5 of a line, with blanks and backslashes
 * in octal (proc_pid_mountinfo(5)).
 */
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
