import { readSealed } from "../store/catalog/secrets.ts";
import type { Database } from "../store/postgres/database.ts";
import { addKeyCheck, readKeyCheck, replaceKeyCheck } from "../store/secret-key-check.ts";
import type { Cipher } from "./cipher.ts";
import { contextOf, SEALED_KINDS } from "./rotation.ts";

const TEXT = "signalman";
const CONTEXT = "secret key check";

/** Thrown when none of this server's keys is the one that the secrets of its database are encrypted under. */
export class WrongSecretKeyError extends Error {
  /** `source`: name of the variable or file that the keys were read from. */
  constructor(source: string) {
    super(
      `${source} holds another key than the one that encrypts the secrets of this database. All servers of a database need the same SIGNALMAN_SECRET_KEY: give this one the key of the others. If that key is lost, run \`signalman rotate-secrets --lost-key\` with a new one and enter the secrets again`,
    );
    this.name = "WrongSecretKeyError";
  }
}

/**
 * Makes sure that this server's keys open the secrets of its database. The first server writes the check value; in a
 * database of an earlier version, only if its keys open a secret that is stored there.
 * @throws WrongSecretKeyError
 */
export async function checkSecretKeys(database: Database, cipher: Cipher, source: string): Promise<void> {
  let stored = await readKeyCheck(database);
  if (!stored) {
    if (!(await opensWhatIsStored(database, cipher))) throw new WrongSecretKeyError(source);
    await addKeyCheck(database, cipher.seal(TEXT, CONTEXT));
    // Read again, since another server with another key may have stored its check value first.
    stored = await readKeyCheck(database);
  }
  if (stored && !opens(cipher, stored, CONTEXT)) throw new WrongSecretKeyError(source);
}

/**
 * Encrypts the check value under the first key. Called after all secrets have been encrypted under it. Resolves to false,
 * and keeps the value, if no key decrypts it. `isLost`: replaces it nevertheless, since its key is lost.
 */
export async function sealCheckAnew(database: Database, cipher: Cipher, isLost: boolean): Promise<boolean> {
  const stored = await readKeyCheck(database);
  const canOpen = stored ? opens(cipher, stored, CONTEXT) : await opensWhatIsStored(database, cipher);
  if (canOpen || isLost) await replaceKeyCheck(database, cipher.seal(TEXT, CONTEXT));
  return canOpen || isLost;
}

/** Tells whether the keys decrypt one of the stored secrets; true if none is stored. */
async function opensWhatIsStored(database: Database, cipher: Cipher): Promise<boolean> {
  let isEmpty = true;
  for (const kind of SEALED_KINDS) {
    for await (const page of readSealed(database, kind)) {
      if (page.some((one) => opens(cipher, one.secrets, contextOf(kind, one)))) return true;
      isEmpty = false;
    }
  }
  return isEmpty;
}

function opens(cipher: Cipher, sealed: Buffer, context: string): boolean {
  try {
    cipher.open(sealed, context);
    return true;
  } catch {
    return false;
  }
}
