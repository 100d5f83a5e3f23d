import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { readOrMake } from "../files/made-once.ts";
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
  const text = await readOrMake(file, MAX_BYTES, () => `${randomBytes(32).toString("base64")}\n`);
  try {
    return decodeSecretKeys(text);
  } catch (cause) {
    throw new Error(`${file} ${messageOf(cause)}`, { cause });
  }
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
