import { randomBytes } from "node:crypto";
import { link, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readRegular } from "../files/regular-file.ts";
import { messageOf } from "../task/errors.ts";

/** The key that encrypts, followed by earlier keys that only decrypt. */
export type SecretKeys = [Buffer, ...Buffer[]];

/** Largest size of a key file in bytes, which is that of about a thousand keys. */
const MAX_BYTES = 64 * 1024;

/**
 * Reads the keys of a data folder, one a line. On first use a key of 32 random bytes is generated and stored as base64,
 * mode 0600.
 */
export async function readSecretKeys(folder: string): Promise<SecretKeys> {
  const file = join(folder, "secret.key");
  // Reads before it writes, so that a server also starts again on a data folder that is full or read-only.
  const text = readKeyFile(file) ?? (await makeKeyFile(file));
  try {
    return decodeSecretKeys(text);
  } catch (cause) {
    throw new Error(`${file} ${messageOf(cause)}`, { cause });
  }
}

const readKeyFile = (file: string) =>
  readRegular(file, { maxBytes: MAX_BYTES, links: "followed" })?.toString();

/** Creates the key file. Returns its content, which is that of another process if that created it first. */
async function makeKeyFile(file: string): Promise<string> {
  const made = `${file}.${process.pid}`;
  await rm(made, { force: true });
  await writeFile(made, `${randomBytes(32).toString("base64")}\n`, { mode: 0o600, flag: "wx" });
  // link() does not replace a file, so that the first process wins and no process reads an incomplete key.
  await link(made, file).catch(ignoreExisting);
  await rm(made);
  return readKeyFile(file) ?? "";
}

/**
 * Decodes keys that are joined by commas or line ends.
 * @throws Error whose message completes the name of the variable or file.
 */
export function decodeSecretKeys(text: string): SecretKeys {
  const [first = "", ...others] = text.trim().split(/[\s,]+/);
  return [decode(first), ...others.map(decode)];
}

function decode(text: string): Buffer {
  const key = Buffer.from(text, "base64");
  if (key.length === 32) return key;
  throw new Error(
    `holds ${key.length} bytes as base64; a key must have 32, such as \`openssl rand -base64 32\` prints`,
  );
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") throw error;
}
