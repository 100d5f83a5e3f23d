import { randomBytes } from "node:crypto";
import { link, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readRegular } from "../files/regular-file.ts";
import { messageOf } from "../task/errors.ts";

/** One that seals, and earlier ones that open. */
export type SecretKeys = [Buffer, ...Buffer[]];

/** Of some hundred keys. */
const MAX_BYTES = 64 * 1024;

/** The keys of a data folder, one a line; the first is made on first use: 32 random bytes as base64, mode 0600. */
export async function readSecretKeys(folder: string): Promise<SecretKeys> {
  const file = join(folder, "secret.key");
  // A folder that is full or read-only is no reason not to start again.
  const text = readKeyFile(file) ?? (await makeKeyFile(file));
  try {
    return decodeSecretKeys(text);
  } catch (cause) {
    throw new Error(`${file} ${messageOf(cause)}`, { cause });
  }
}

const readKeyFile = (file: string) =>
  readRegular(file, { maxBytes: MAX_BYTES, links: "followed" })?.toString();

/** Returns what the file holds then: another process may have been faster. */
async function makeKeyFile(file: string): Promise<string> {
  const made = `${file}.${process.pid}`;
  await rm(made, { force: true });
  await writeFile(made, `${randomBytes(32).toString("base64")}\n`, { mode: 0o600, flag: "wx" });
  // link() refuses to replace: whoever comes first wins, and nobody reads half a key.
  await link(made, file).catch(ignoreExisting);
  await rm(made);
  return readKeyFile(file) ?? "";
}

/**
 * Several are joined by commas or line ends.
 * @throws Error whose message completes the name of where the text came from.
 */
export function decodeSecretKeys(text: string): SecretKeys {
  const [first = "", ...others] = text.trim().split(/[\s,]+/);
  return [decode(first), ...others.map(decode)];
}

function decode(text: string): Buffer {
  const key = Buffer.from(text, "base64");
  if (key.length === 32) return key;
  throw new Error(
    `must hold 32 bytes as base64, such as \`openssl rand -base64 32\` prints; it holds ${key.length}`,
  );
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") throw error;
}
