import type { Enclosure, Mount } from "./enclosure.ts";

/**
 * Returns the command that runs a program in user, mount, pid and IPC namespaces by bubblewrap. Its first process is an
 * init; the program keeps its uid, and has no capability. Abstract sockets and the network stay shared.
 * `bwrap`: absolute path of bubblewrap
 */
export function bubblewrap(bwrap: string, cwd: string, mounts: readonly Mount[]): Enclosure {
  const system = [
    "--unshare-user",
    "--unshare-pid",
    "--unshare-ipc",
    "--dev-bind",
    "/",
    "/",
    "--proc",
    "/proc",
  ];
  const places = mounts.flatMap(([kind, ...paths]) => [`--${kind}`, ...paths]);
  return {
    hasNamespace: true,
    words: (reportTo) => [bwrap, ...system, ...places, "--chdir", cwd, "--info-fd", String(reportTo), "--"],
  };
}
