import { spawn } from "node:child_process";
import { mkdtemp, realpath, rm, statfs } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Script of the guard process. It waits for the end of its stdin, which comes when the test process closes it or ends in
 * any way. It then ends every process that works in the folder, such as a PostgreSQL, and removes the folder.
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

/** Creates a temporary folder with a short name, in `base` if given. Its end ends the servers in it, even after kill -9 of the tests. */
export async function guardedFolder(base?: string): Promise<GuardedFolder> {
  const path = await mkdtemp(join(base ?? (await roomiest()), "sm-test-"));
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

/** Returns TMPDIR if set; else memory if 2 GiB are free, since some disks are slow to write a PostgreSQL's thousand files. */
async function roomiest(): Promise<string> {
  if (process.env.TMPDIR) return realpath(tmpdir());
  const memory = await statfs("/dev/shm").catch(() => undefined);
  if (memory && memory.bavail * memory.bsize >= 2 ** 31) return "/dev/shm";
  return realpath(tmpdir());
}
