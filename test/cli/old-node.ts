import { execFileSync } from "node:child_process";
import { delimiter, join } from "node:path";

/** A Node of this machine that is too old to run Signalman, as the system's often is. */
export const oldNode = (process.env.PATH ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "node"))
  .find((path) => versionOf(path) < 24);

function versionOf(path: string): number {
  try {
    return Number(execFileSync(path, ["-p", "process.versions.node.split('.')[0]"], { stdio: "pipe" }));
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
