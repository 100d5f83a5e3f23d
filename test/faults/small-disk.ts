import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

/** Mounts a file system of a few MiB at `folder`; undefined if this user may not mount one. */
export function smallDisk(folder: string, mib: number): Disposable | undefined {
  mkdirSync(folder, { recursive: true });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mib}m`, "signalman-test", folder], {
      stdio: "ignore",
    });
  } catch {
    return undefined;
  }
  return { [Symbol.dispose]: () => void execFileSync("umount", ["--lazy", folder]) };
}

/** Writes a file `filler` there until nothing more fits. */
export function fill(folder: string): void {
  spawnSync("dd", ["if=/dev/zero", `of=${join(folder, "filler")}`, "bs=4k"], { stdio: "ignore" });
}
