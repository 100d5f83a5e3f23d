import { fileURLToPath } from "node:url";
import type { Enclosure, View } from "./enclosure.ts";

const SCRIPT = fileURLToPath(new URL("./enter.pl", import.meta.url));

/**
 * Returns the command that runs a program in namespaces without bubblewrap (enter.pl).
 * @param perl absolute path of perl
 */
export function enterByPerl(perl: string, view: View): Enclosure {
  const mounts = [
    ["tmpfs", "/dev/shm"],
    ...["/tmp", "/var/tmp"].map((folder) => ["bind", view.tmp, folder]),
    ...view.hidden.map((folder) => ["tmpfs", folder]),
    ...view.readOnly.map((path) => ["ro-bind", path, path]),
    ...view.writable.map((path) => ["bind", path, path]),
  ];
  return {
    hasNamespace: true,
    words: (reportTo) => [perl, SCRIPT, process.arch, String(reportTo), view.cwd, ...mounts.flat(), "--"],
  };
}
