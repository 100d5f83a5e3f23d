import { readFileSync } from "node:fs";

/**
 * Where something is mounted in a folder, which is given by its real path, or on it; undefined: nowhere. The device of a
 * file does not tell: a folder of the same one may be mounted there.
 */
export function mountIn(folder: string): string | undefined {
  const points = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .map((point) =>
      point.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))),
    );
  return points.find((point) => `${point}/`.startsWith(`${folder}/`));
}
