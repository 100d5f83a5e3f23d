import { randomBytes } from "node:crypto";
import { link, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readRegular } from "../files/regular-file.ts";

/** Path of the root account's token in a data folder. */
export const rootTokenFile = (folder: string): string => join(folder, "token");

const FORM = /^[\x21-\x7e]{16,}$/;

/**
 * Reads the root account's token of a data folder. On first use a token of 256 random bits is generated and stored, mode 0600.
 * @throws Error if the file holds something else
 */
export async function readRootToken(folder: string): Promise<string> {
  const file = rootTokenFile(folder);
  const token = (read(file) ?? (await make(file))).trim();
  if (FORM.test(token)) return token;
  throw new Error(
    `${file} must hold a token of at least 16 characters of visible ASCII. Remove the file: the next start makes a new token`,
  );
}

const read = (file: string) => readRegular(file, { maxBytes: 4096, links: "followed" })?.toString();

/** Creates the file. Returns its content, which is that of another process if that created it first. */
async function make(file: string): Promise<string> {
  const made = `${file}.${process.pid}`;
  await rm(made, { force: true });
  await writeFile(made, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600, flag: "wx" });
  // link() does not replace a file, so that no process reads an incomplete token.
  await link(made, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  await rm(made);
  return read(file) ?? "";
}
