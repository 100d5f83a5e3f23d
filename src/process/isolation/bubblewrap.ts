import type { Enclosure, View } from "./enclosure.ts";

/**
 * Returns the command that runs a program in user, mount, pid and IPC namespaces by bubblewrap. Its first process is an
 * init; the program keeps its uid, and has no capability. Abstract sockets and the network stay shared.
 * @param bwrap absolute path of bubblewrap
 */
export function bubblewrap(bwrap: string, view: View): Enclosure {
  const mounts = [
    ["--dev-bind", "/", "/"],
    ["--proc", "/proc"],
    ["--tmpfs", "/dev/shm"],
    ...["/tmp", "/var/tmp"].map((folder) => ["--bind", view.tmp, folder]),
    ...view.hidden.map((folder) => ["--tmpfs", folder]),
    ...view.readOnly.map((path) => ["--ro-bind-try", path, path]),
    ...view.writable.map((path) => ["--bind-try", path, path]),
  ];
  const namespaces = ["--unshare-user", "--unshare-pid", "--unshare-ipc"];
  return {
    hasNamespace: true,
    words: (reportTo) => [
      bwrap,
      ...namespaces,
      ...mounts.flat(),
      "--chdir",
      view.cwd,
      "--info-fd",
      String(reportTo),
      "--",
    ],
  };
}
