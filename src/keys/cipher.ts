import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from "node:crypto";

/** Format of a sealed secret: version, key id, nonce, tag, ciphertext. */
const VERSION = 1;
const KEY_ID_BYTES = 4;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + KEY_ID_BYTES + NONCE_BYTES + TAG_BYTES;

/** Encrypts secrets at rest by AES-256-GCM under keys of 32 bytes. The first key encrypts, all keys decrypt. */
export interface Cipher {
  /** Encrypts a text and binds it to `context`: it can be decrypted with the same context only. */
  seal(text: string, context: string): Buffer;
  /** Decrypts a secret. @throws Error if its key is unknown, its context is another one, or its bytes were changed. */
  open(sealed: Buffer, context: string): string;
  /** Tells whether a secret was encrypted under the first key. */
  isCurrent(sealed: Buffer): boolean;
  /**
   * Returns a keyed hash, by which texts are compared without being stored. Uses the last key, so that a new first key
   * changes no hash.
   */
  hash(text: string): Buffer;
}

interface Key {
  id: Buffer;
  key: Buffer;
}

export function createCipher(secretKeys: readonly [Buffer, ...Buffer[]]): Cipher {
  const keys = secretKeys.map(identified);
  const [current] = keys as [Key];
  const last = keys.at(-1) as Key;
  return {
    seal(text, context) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", current.key, nonce).setAAD(Buffer.from(context));
      const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
      return Buffer.concat([Buffer.from([VERSION]), current.id, nonce, cipher.getAuthTag(), body]);
    },
    open(sealed, context) {
      if (sealed.length < HEADER_BYTES || sealed[0] !== VERSION)
        throw new Error("Cannot decrypt a secret: its stored form is unknown or damaged; set it again");
      const found = keys.find(({ id }) => id.equals(keyIdIn(sealed)));
      if (!found) {
        throw new Error(
          "Cannot decrypt a secret: it was encrypted under another key. All servers need the same SIGNALMAN_SECRET_KEY",
        );
      }
      return decrypt(sealed, context, found.key);
    },
    isCurrent: (sealed) => sealed[0] === VERSION && current.id.equals(keyIdIn(sealed)),
    hash: (text) => createHmac("sha256", last.key).update(text).digest(),
  };
}

function identified(key: Buffer): Key {
  if (key.length !== 32) throw new Error(`A secret key has 32 bytes, not ${key.length}`);
  const digest = createHash("sha256").update("signalman key id").update(key).digest();
  return { key, id: digest.subarray(0, KEY_ID_BYTES) };
}

const keyIdIn = (sealed: Buffer) => sealed.subarray(1, 1 + KEY_ID_BYTES);

function decrypt(sealed: Buffer, context: string, key: Buffer): string {
  const nonce = sealed.subarray(1 + KEY_ID_BYTES, HEADER_BYTES - TAG_BYTES);
  const tag = sealed.subarray(HEADER_BYTES - TAG_BYTES, HEADER_BYTES);
  const decipher = createDecipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(context)).setAuthTag(tag);
  return decipher.update(sealed.subarray(HEADER_BYTES)).toString("utf8") + decipher.final("utf8");
}
