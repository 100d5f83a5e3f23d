import { and, asc, eq, gt, sql } from "drizzle-orm";
import { type Actor, ROOT } from "../../task/caller.ts";
import { alreadyExists, notFound } from "../../task/errors.ts";
import type { Grant, Role } from "../../task/roles.ts";
import { recordChanges } from "../audit.ts";
import type { Database } from "../postgres/database.ts";
import { statement } from "../postgres/statement.ts";
import { violatedConstraint } from "../postgres/transient-errors.ts";
import { accounts, tokens } from "../schema/accounts.ts";
import { assertAccount } from "./accounts.ts";

/** A stored token, without its hash. */
export type TokenRow = Omit<typeof tokens.$inferSelect, "hash">;

/** Key of a token: the account's name and the token's, both by their last part. */
export interface TokenKey {
  account: string;
  name: string;
}

const COLUMNS = {
  account: tokens.account,
  name: tokens.name,
  createTime: tokens.createTime,
  expireTime: tokens.expireTime,
  revokeTime: tokens.revokeTime,
  lastUseTime: tokens.lastUseTime,
};
const nameOf = ({ account, name }: TokenKey) => `accounts/${account}/tokens/${name}`;
const at = ({ account, name }: TokenKey) => and(eq(tokens.account, account), eq(tokens.name, name));

/** Stores a new token by its hash. @throws Failure not_found without the account; already_exists. */
export async function createToken(
  database: Database,
  key: TokenKey,
  { hash, lifetimeMs }: { hash: Buffer; lifetimeMs: number },
  actor?: Actor,
): Promise<TokenRow> {
  const expireTime = sql`now() + ${`${lifetimeMs} ms`}::interval`;
  try {
    const row = await database.run((db) =>
      db.transaction(async (tx) => {
        const [made] = await tx
          .insert(tokens)
          .values({ ...key, hash, expireTime })
          .onConflictDoNothing({ target: [tokens.account, tokens.name] })
          .returning(COLUMNS);
        if (made) await recordChanges(tx, actor, [{ resource: nameOf(key) }]);
        return made;
      }),
    );
    if (row) return row;
  } catch (error) {
    if (violatedConstraint(error) === "tokens_account_accounts_name_fk")
      throw notFound(`accounts/${key.account}`);
    throw error;
  }
  throw alreadyExists(nameOf(key), "; revoked tokens keep their names");
}

/** Returns a page of an account's tokens, ordered by name. @throws Failure not_found without the account. */
export async function listTokens(
  database: Database,
  { account, after, limit }: { account: string; after: string; limit: number },
): Promise<TokenRow[]> {
  return database.run(async (db) => {
    if (after === "") await assertAccount(db, account);
    return db
      .select(COLUMNS)
      .from(tokens)
      .where(and(eq(tokens.account, account), gt(tokens.name, after)))
      .orderBy(asc(tokens.name))
      .limit(limit);
  });
}

/** Revokes a token; a repeated call keeps the first time. @throws Failure not_found. */
export async function revokeToken(database: Database, key: TokenKey, actor?: Actor): Promise<TokenRow> {
  const row = await database.run((db) =>
    db.transaction(async (tx) => {
      const [revoked] = await tx
        .update(tokens)
        .set({ revokeTime: sql`coalesce(${tokens.revokeTime}, now())` })
        .where(at(key))
        .returning(COLUMNS);
      if (revoked) await recordChanges(tx, actor, [{ resource: nameOf(key) }]);
      return revoked;
    }),
  );
  if (!row) throw notFound(nameOf(key));
  return row;
}

/** A token that is valid now, with all rights of its account. */
export interface ValidToken {
  /** SHA-256 of the token's text, in base64. */
  hash: string;
  /** Last part of the account's name. */
  account: string;
  /** Milliseconds until the token expires, by the database's clock. */
  leftMs: number;
  grants: Grant[];
}

const validTokens = statement<{ hashes: string }, TokenAndRoles>(
  (value) => sql`
    SELECT encode(${tokens.hash}, 'base64') AS hash, ${tokens.account} AS account,
           (extract(epoch FROM ${tokens.expireTime} - now()) * 1000)::float8 AS "leftMs",
           ${accounts.spec}->'roles' AS roles, ${bindingsOf(sql`${accounts.name}`)} AS bindings
    FROM tokens JOIN accounts ON ${accounts.name} = ${tokens.account}
    WHERE ${tokens.hash} IN (SELECT decode(jsonb_array_elements_text(${value.hashes}::jsonb), 'base64'))
      AND ${tokens.revokeTime} IS NULL AND ${tokens.expireTime} > now()`,
);

interface TokenAndRoles extends Omit<ValidToken, "grants"> {
  roles: string[] | null;
  bindings: { roles: string[] | null; project: string; template: string | null }[];
}

/** Returns the tokens with these hashes that are neither revoked nor expired. */
export async function findTokens(database: Database, hashes: readonly string[]): Promise<ValidToken[]> {
  const rows = await database.run((db) => validTokens(db, { hashes: JSON.stringify(hashes) }));
  return rows.map(({ hash, account, leftMs, ...rights }) => ({
    hash,
    account,
    leftMs,
    grants: rightsOf(rights),
  }));
}

/**
 * Returns the rights of a caller by its name (task/caller.ts). A deleted account has none. Names that belong to no account
 * (the root account, callers of a server without authentication, tasks of an earlier release) have all rights.
 */
export async function grantsOf(database: Database, caller: string): Promise<readonly Grant[]> {
  if (!caller.startsWith("accounts/")) return ROOT.grants;
  const [row] = await database.run((db) =>
    db.execute<Pick<TokenAndRoles, "roles" | "bindings"> & Record<string, unknown>>(sql`
      SELECT ${accounts.spec}->'roles' AS roles, ${bindingsOf(sql`${accounts.name}`)} AS bindings
      FROM accounts WHERE ${accounts.name} = ${caller.slice("accounts/".length)}`),
  );
  return row ? rightsOf(row) : [];
}

function bindingsOf(account: ReturnType<typeof sql>) {
  return sql`(
    SELECT coalesce(jsonb_agg(jsonb_build_object(
      'roles', b.spec->'roles', 'project', b.project, 'template', b.template) ORDER BY b.project, b.name), '[]')
    FROM role_bindings b WHERE b.account = ${account})`;
}

function rightsOf({ roles, bindings }: Pick<TokenAndRoles, "roles" | "bindings">): Grant[] {
  const named = (list: string[] | null) => (list ?? []).map((role) => role.replace(/^ROLE_/, "") as Role);
  return [
    { roles: named(roles), project: null, template: null },
    ...bindings.map((binding) => ({ ...binding, roles: named(binding.roles) })),
  ];
}

/** Records that tokens were used just now, unless that was recorded less than a minute ago. */
export async function recordUse(database: Database, hashes: readonly string[]): Promise<void> {
  await database.run((db) =>
    db.execute(sql`
      UPDATE tokens SET last_use_time = now()
      WHERE hash IN (SELECT decode(jsonb_array_elements_text(${JSON.stringify(hashes)}::jsonb), 'base64'))
        AND (last_use_time IS NULL OR last_use_time < now() - interval '1 minute')`),
  );
}
