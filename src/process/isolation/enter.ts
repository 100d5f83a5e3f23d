import { fileURLToPath } from "node:url";
import type { Enclosure, Mount } from "./enclosure.ts";

const SCRIPT = fileURLToPath(new URL("./enter.pl", import.meta.url));

/**
 * Returns the command that runs a program in namespaces without bubblewrap (enter.pl).
 * `perl`: absolute path of perl
 */
export function enterByPerl(perl: string, cwd: string, mounts: readonly Mount[]): Enclosure {
  return {
    hasNamespace: true,
    words: (reportTo) => [perl, SCRIPT, process.arch, String(reportTo), cwd, ...mounts.flat(), "--"],
  };
}
