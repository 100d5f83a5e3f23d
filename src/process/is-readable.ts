import { statSync } from "node:fs";

/**
 * Whether other processes of this user can read the memory, the environment and the descriptors of this process. They cannot if it
 * is not dumpable (bin/undumpable.js): its files in /proc then belong to root. Root can always; false for root, and where there is
 * no /proc.
 */
export function isReadable(): boolean {
  const owner = statSync("/proc/self/environ", { throwIfNoEntry: false })?.uid;
  return owner !== 0 && owner !== undefined;
}
