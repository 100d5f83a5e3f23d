import { link, rm, writeFile } from "node:fs/promises";
import { readRegular } from "./regular-file.ts";

/**
 * Returns the text of a secret file. If there is none, creates it with mode 0600 and the text that `make` returns. Of several
 * processes that create it at once the first wins, and all return its text.
 * @throws the system's error; UnusableFileError for anything but a file of at most `maxBytes` bytes
 */
export async function readOrMake(file: string, maxBytes: number, make: () => string): Promise<string> {
  // Reads before it writes, so that a server also starts again on a data folder that is full or read-only.
  const read = () => readRegular(file, { maxBytes, links: "followed" })?.toString();
  const present = read();
  if (present !== undefined) return present;
  const draft = `${file}.${process.pid}`;
  await rm(draft, { force: true });
  await writeFile(draft, make(), { mode: 0o600, flag: "wx" });
  // link() does not replace a file, so that no process reads an incomplete one.
  await link(draft, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  await rm(draft);
  return read() ?? "";
}
