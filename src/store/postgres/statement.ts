import { fillPlaceholders, type Placeholder, type Query, SQL, sql } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import { drizzle } from "drizzle-orm/postgres-js";
import type { Db, Queryable } from "./database.ts";

/*
 * Statements whose text is made once. drizzle makes it anew for each run, out of the same parts: for a short task that was
 * a millisecond, and 700 KB of garbage.
 */

/** Makes parts of statements; it has no database. */
export const builder = drizzle.mock();

/** Where each of a statement's values goes. */
export type Places<V> = { readonly [K in keyof V]: SQL };

/**
 * A statement that is made at its first use. It gets its values as the driver takes them: JSON as text, and so on.
 * Nothing but them may differ from one use to the next.
 */
export function statement<V extends object, Row extends object>(build: (at: Places<V>) => SQL) {
  let made: Query | undefined;
  return (db: Pick<Queryable, "execute">, values: V) => {
    made ??= new PgDialect().sqlToQuery(build(places<V>()));
    return db.execute<Row & Record<string, unknown>>(
      new MadeStatement(made, fillPlaceholders(made.params, values as Record<string, unknown>)),
    );
  };
}

/** The same for a query that drizzle maps to typed rows: made once for each pool of connections. */
export function prepared<P>(make: (db: Db) => P): (db: Db) => P {
  const made = new WeakMap<Db, P>();
  return (db) => {
    const known = made.get(db) ?? make(db);
    made.set(db, known);
    return known;
  };
}

/** A value of a prepared query, by its name. */
export const place = (name: string): Placeholder => sql.placeholder(name);

function places<V>(): Places<V> {
  return new Proxy({} as Places<V>, { get: (_, name) => sql`${sql.placeholder(String(name))}` });
}

class MadeStatement extends SQL {
  readonly #query: Query;

  constructor({ sql }: Query, params: unknown[]) {
    super([]);
    this.#query = { sql, params };
  }

  override toQuery() {
    return this.#query;
  }
}
