import { closeSync, openSync, renameSync, rmSync, writeSync } from "node:fs";

/**
 * Replaces a file by a new one of mode 0600, which is written beside it and renamed. A reader finds the old content
 * or the new one. A link or a named pipe at either path is replaced, never written through.
 * @throws the system's error, also if a folder is at the path
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
