import { readFileSync } from "node:fs";

/** Returns how many descriptors this process may open; infinite if the system does not tell. */
export function openFilesLimit(): number {
  try {
    const [, soft = ""] = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1")) ?? [];
    return Number(soft) || Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
