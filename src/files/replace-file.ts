import { closeSync, openSync, renameSync, rmSync, writeSync } from "node:fs";

/**
 * Puts a file, 0600, in the place of whatever is there: a new one that is renamed, so that a reader finds the old content
 * or the new, and a link or a named pipe at either path is replaced, never written through.
 * @throws the system's error, also if a folder is there
 */
export function replaceFile(path: string, content: string | Uint8Array): void {
  const draft = `${path}.new`;
  rmSync(draft, { force: true });
  const fd = openSync(draft, "wx", 0o600);
  try {
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
  } finally {
    closeSync(fd);
  }
  renameSync(draft, path);
}
