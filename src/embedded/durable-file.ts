import { randomUUID } from "node:crypto";
import { open, rename } from "node:fs/promises";
import { dirname } from "node:path";

/** Writes a whole file of mode 0600 or nothing; resolves when it is on disk. */
export async function writeFileDurably(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomUUID()}`;
  {
    await using file = await open(draft, "wx", 0o600);
    await file.writeFile(text);
    await file.sync();
  }
  await renameDurably(draft, path);
}

/** Renames within one folder; resolves when the rename is on disk, so that a power cut cannot undo it. */
export async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  await using folder = await open(dirname(to), "r");
  await folder.sync();
}
