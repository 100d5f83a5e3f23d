import type { Database } from "./postgres/database.ts";
import { secretKeyCheck } from "./schema/secret-key.ts";

/** Returns the check value of the database; undefined: none has been stored. */
export async function readKeyCheck(database: Database): Promise<Buffer | undefined> {
  const [row] = await database.run((db) => db.select({ sealed: secretKeyCheck.sealed }).from(secretKeyCheck));
  return row?.sealed;
}

/** Stores the first check value; does nothing if there is one. */
export async function addKeyCheck(database: Database, sealed: Buffer): Promise<void> {
  await database.run((db) => db.insert(secretKeyCheck).values({ sealed }).onConflictDoNothing());
}

/** Stores a check value; replaces an earlier one. */
export async function replaceKeyCheck(database: Database, sealed: Buffer): Promise<void> {
  const target = secretKeyCheck.id;
  await database.run((db) =>
    db.insert(secretKeyCheck).values({ sealed }).onConflictDoUpdate({ target, set: { sealed } }),
  );
}
