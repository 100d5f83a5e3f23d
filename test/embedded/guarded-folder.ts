import { spawn } from "node:child_process";
import { mkdtemp, realpath, rm, statfs } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Waits for the end of its stdin, which comes when the test process closes it or dies in whatever way. Then ends
 * every process that works in the folder (a PostgreSQL does) and removes the folder.
 */
const GUARD = `
cat >/dev/null
working() { find /proc/[0-9]*/cwd -maxdepth 0 -lname "$1/*" 2>/dev/null; }
while links=$(working "$1"); [ -n "$links" ]; do
  for link in $links; do pid=\${link#/proc/}; kill -QUIT "\${pid%/cwd}" 2>/dev/null; done
  sleep 0.02
done
rm -rf "$1"
`;

export interface GuardedFolder extends AsyncDisposable {
  readonly path: string;
}

/** A short-named temporary folder that takes the servers in it along when it goes, even after kill -9 of the tests. */
export async function guardedFolder(): Promise<GuardedFolder> {
  const path = await mkdtemp(join(await roomiest(), "sm-test-"));
  const guard = spawn("sh", ["-c", GUARD, "guard", path], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  const gone = new Promise<void>((resolve) => guard.once("exit", () => resolve()));
  guard.unref();
  (guard.stdin as Socket).unref();
  return {
    path,
    async [Symbol.asyncDispose]() {
      guard.ref();
      guard.stdin.end();
      await gone;
      await rm(path, { recursive: true, force: true });
    },
  };
}

/** TMPDIR if set, else memory if there is plenty: a PostgreSQL is a thousand files, which some disks write slowly. */
async function roomiest(): Promise<string> {
  if (process.env.TMPDIR) return realpath(tmpdir());
  const memory = await statfs("/dev/shm").catch(() => undefined);
  if (memory && memory.bavail * memory.bsize >= 2 ** 31) return "/dev/shm";
  return realpath(tmpdir());
}
