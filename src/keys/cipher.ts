import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from "node:crypto";

/** Format of what `seal` makes: version, key id, nonce, tag, ciphertext. */
const VERSION = 1;
const KEY_ID_BYTES = 4;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + KEY_ID_BYTES + NONCE_BYTES + TAG_BYTES;

/** Keeps secrets at rest: AES-256-GCM under a key of 32 bytes. */
export interface Cipher {
  /** `context` is bound to the result: it opens only under the same one. */
  seal(text: string, context: string): Buffer;
  /** @throws Error that says what to do if the key or the context is another one, or the bytes were changed. */
  open(sealed: Buffer, context: string): string;
  /** A keyed hash, to compare secrets without keeping them. */
  hash(text: string): Buffer;
}

export function createCipher(key: Buffer): Cipher {
  if (key.length !== 32) throw new Error(`A secret key has 32 bytes, not ${key.length}`);
  const keyId = createHash("sha256")
    .update("signalman key id")
    .update(key)
    .digest()
    .subarray(0, KEY_ID_BYTES);
  return {
    seal(text, context) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(context));
      const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
      return Buffer.concat([Buffer.from([VERSION]), keyId, nonce, cipher.getAuthTag(), body]);
    },
    open(sealed, context) {
      if (sealed.length < HEADER_BYTES || sealed[0] !== VERSION)
        throw new Error("Cannot decrypt a secret: unknown format");
      if (!sealed.subarray(1, 1 + KEY_ID_BYTES).equals(keyId)) {
        throw new Error(
          "Cannot decrypt a secret: it was encrypted under another key. All servers need the same SIGNALMAN_SECRET_KEY",
        );
      }
      const nonce = sealed.subarray(1 + KEY_ID_BYTES, HEADER_BYTES - TAG_BYTES);
      const tag = sealed.subarray(HEADER_BYTES - TAG_BYTES, HEADER_BYTES);
      const decipher = createDecipheriv("aes-256-gcm", key, nonce)
        .setAAD(Buffer.from(context))
        .setAuthTag(tag);
      return decipher.update(sealed.subarray(HEADER_BYTES)).toString("utf8") + decipher.final("utf8");
    },
    hash: (text) => createHmac("sha256", key).update(text).digest(),
  };
}
