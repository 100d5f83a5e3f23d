import { fillPlaceholders, type Placeholder, type Query, SQL, sql } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import { drizzle } from "drizzle-orm/postgres-js";
import type { Db, Queryable } from "./database.ts";

/*
 * Statements whose SQL text is built once. By default drizzle builds the text for every execution, which took 1 ms and
 * 700 KB of garbage for each short task.
 */

/** Query builder for parts of statements; it has no connection. */
export const builder = drizzle.mock();

/** Placeholders of a statement, by the names of its values. */
export type Places<V> = { readonly [K in keyof V]: SQL };

/**
 * Returns a function that executes a statement, whose text is built at the first call. Values have the form that the
 * driver takes, such as JSON as text. Calls may differ in their values only.
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

/** Like `statement`, for a query that drizzle maps to typed rows. It is built once for each pool of connections. */
export function prepared<P>(make: (db: Db) => P): (db: Db) => P {
  const made = new WeakMap<Db, P>();
  return (db) => {
    const known = made.get(db) ?? make(db);
    made.set(db, known);
    return known;
  };
}

/** Returns the placeholder of a prepared query's value. */
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
