/** User and group id that systems reserve for unprivileged programs. */
const UNPRIVILEGED_ID = 65534;

/**
 * Returns the command line that runs a program of PostgreSQL, which refuses to run as root. For root it runs in a
 * user namespace in which root has this id: no other account is needed, and all files stay root's.
 */
export function unprivileged(program: string, args: string[]): [string, string[]] {
  if (process.geteuid?.() !== 0) return [program, args];
  return [
    "unshare",
    ["--user", `--map-user=${UNPRIVILEGED_ID}`, `--map-group=${UNPRIVILEGED_ID}`, "--", program, ...args],
  ];
}

/**
 * Returns what the operator can do about a start that failed with this output; empty if the output speaks for itself.
 */
export function advice(output: string): string {
  if (/^unshare: |unshare ENOENT/m.test(output)) {
    return "PostgreSQL does not run as root, and this machine does not let root make a user namespace (containers often forbid it). Run Signalman as an ordinary user (docker run --user 1000), or set DATABASE_URL.";
  }
  if (output.includes("could not look up effective user ID")) {
    return `The user id ${process.geteuid?.()} has no name in /etc/passwd, which PostgreSQL needs. Add it there, or set DATABASE_URL.`;
  }
  if (/error while loading shared libraries|Library not loaded|ENOENT/.test(output)) {
    return "The embedded PostgreSQL does not fit this system (it needs glibc, not musl). Set DATABASE_URL.";
  }
  return "";
}
