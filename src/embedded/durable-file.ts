import { randomUUID } from "node:crypto";
import { open, rename } from "node:fs/promises";
import { dirname } from "node:path";

/** Writes the whole file or nothing, readable by the owner only, on disk when the promise resolves. */
export async function writeFileDurably(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomUUID()}`;
  {
    await using file = await open(draft, "wx", 0o600);
    await file.writeFile(text);
    await file.sync();
  }
  await renameDurably(draft, path);
}

/** A rename that a power cut cannot take back; both paths are in one folder. */
export async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  await using folder = await open(dirname(to), "r");
  await folder.sync();
}
