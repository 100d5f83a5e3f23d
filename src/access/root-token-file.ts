import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { readOrMake } from "../files/made-once.ts";

/** Path of the root account's token in a data folder. */
export const rootTokenFile = (folder: string): string => join(folder, "token");

const FORM = /^[\x21-\x7e]{16,}$/;
const MAX_BYTES = 4096;

/**
 * Reads the root account's token of a data folder. On first use a token of 256 random bits is generated and stored, mode 0600.
 * @throws Error if the file holds something else
 */
export async function readRootToken(folder: string): Promise<string> {
  const file = rootTokenFile(folder);
  const text = await readOrMake(file, MAX_BYTES, () => `${randomBytes(32).toString("base64url")}\n`);
  const token = text.trim();
  if (FORM.test(token)) return token;
  throw new Error(
    `${file} must hold a token of at least 16 characters of visible ASCII. Remove the file: the next start makes a new token`,
  );
}
