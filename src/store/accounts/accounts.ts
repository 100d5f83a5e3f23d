import type { JsonObject } from "@bufbuild/protobuf";
import { asc, eq, gt, sql } from "drizzle-orm";
import type { Actor } from "../../task/caller.ts";
import { alreadyExists, notFound } from "../../task/errors.ts";
import { recordChanges } from "../audit.ts";
import type { Resource } from "../catalog/kinds.ts";
import type { Database, Queryable } from "../postgres/database.ts";
import { accounts } from "../schema/accounts.ts";

const nameOf = (name: string) => `accounts/${name}`;

/** Stores a new account. @throws Failure already_exists. */
export async function createAccount(
  database: Database,
  name: string,
  spec: JsonObject,
  actor?: Actor,
): Promise<Resource> {
  const row = await database.run((db) =>
    db.transaction(async (tx) => {
      const [made] = await tx.insert(accounts).values({ name, spec }).onConflictDoNothing().returning();
      if (made) await recordChanges(tx, actor, [{ resource: nameOf(name) }]);
      return made;
    }),
  );
  if (!row) throw alreadyExists(nameOf(name));
  return row;
}

/** Returns one account. @throws Failure not_found. */
export async function getAccount(database: Database, name: string): Promise<Resource> {
  const [row] = await database.run((db) => db.select().from(accounts).where(eq(accounts.name, name)));
  if (!row) throw notFound(nameOf(name));
  return row;
}

/** Returns a page of accounts, ordered by name; `after` is the last name of the page before. */
export async function listAccounts(
  database: Database,
  { after, limit }: { after: string; limit: number },
): Promise<Resource[]> {
  return database.run((db) =>
    db.select().from(accounts).where(gt(accounts.name, after)).orderBy(asc(accounts.name)).limit(limit),
  );
}

/** Replaces the spec of an account by what `change`, which is pure, makes of it. @throws Failure not_found. */
export async function updateAccount(
  database: Database,
  name: string,
  change: (stored: Resource) => JsonObject,
  actor?: Actor,
): Promise<Resource> {
  return inTransaction(database, name, async (tx, stored) => {
    const [row] = await tx
      .update(accounts)
      .set({ spec: change(stored), revision: sql`${accounts.revision} + 1`, updateTime: sql`now()` })
      .where(eq(accounts.name, name))
      .returning();
    await recordChanges(tx, actor, [{ resource: nameOf(name) }]);
    return row ?? stored;
  });
}

/** Deletes an account with its tokens and its role bindings, unless `check` throws. @throws Failure not_found. */
export async function deleteAccount(
  database: Database,
  name: string,
  check: (stored: Resource) => void,
  actor?: Actor,
): Promise<void> {
  await inTransaction(database, name, async (tx, stored) => {
    check(stored);
    await tx.delete(accounts).where(eq(accounts.name, name));
    await recordChanges(tx, actor, [{ resource: nameOf(name) }]);
  });
}

/** Locks the account's row while `work` runs. */
function inTransaction<T>(
  database: Database,
  name: string,
  work: (tx: Queryable, stored: Resource) => Promise<T>,
): Promise<T> {
  return database.run((db) =>
    db.transaction(async (tx) => {
      const [stored] = await tx.select().from(accounts).where(eq(accounts.name, name)).for("update");
      if (!stored) throw notFound(nameOf(name));
      return work(tx, stored);
    }),
  );
}

/** Checks that an account exists. @throws Failure not_found. */
export async function assertAccount(db: Queryable, name: string): Promise<void> {
  const [row] = await db.select({ name: accounts.name }).from(accounts).where(eq(accounts.name, name));
  if (!row) throw notFound(nameOf(name));
}
