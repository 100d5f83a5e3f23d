import { DrizzleQueryError } from "drizzle-orm";
import { drizzle, type PostgresJsDatabase } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { socketOptions } from "../../embedded/socket-url.ts";
import { isConnectionLost } from "./connection-errors.ts";

export type Db = PostgresJsDatabase<Record<string, never>>;
/** A transaction, or the database outside of transactions. */
export type Queryable = Pick<Db, "execute" | "select" | "insert" | "update" | "delete">;

export interface DatabaseOptions {
  url: string;
  /** Largest number of connections. */
  max: number;
  /** Name of the pool; pg_stat_activity shows it. */
  name: string;
  /** Default time limit in milliseconds for one call of `run`. */
  deadlineMs: number;
  /**
   * Makes PostgreSQL plan each statement once for a connection instead of for each set of values. That is right for
   * statements that find rows by their key; selective values, such as a status, are written into the statement. By
   * default PostgreSQL planned the statement that loads a run each time, which took 0.3 ms.
   */
  plansOnce?: boolean;
}

/**
 * Thrown when PostgreSQL did not answer in time. The pool's connections are closed, since a half-open one blocks later
 * queries.
 */
export class DatabaseDeadlineError extends Error {
  constructor(name: string, ms: number) {
    super(`PostgreSQL (${name}) did not answer within ${ms} ms`);
    this.name = "DatabaseDeadlineError";
  }
}

/**
 * Thrown when a statement, or the connection that it needed, failed. It leaves out the statement's parameters, since
 * they may be secret.
 */
export class QueryError extends Error {
  /** Text of the statement; empty for BEGIN, COMMIT and statements of the driver itself. */
  readonly query: string;

  constructor(query: string, cause: Error) {
    super(`A query failed: ${cause.message}`, { cause });
    this.name = "QueryError";
    this.query = query;
  }
}

/** Thrown when the database is read-only, such as a standby. Has the code that PostgreSQL uses for this. */
export class DatabaseReadOnlyError extends Error {
  readonly code = READ_ONLY;

  constructor() {
    super("The database is read-only");
    this.name = "DatabaseReadOnlyError";
  }
}

const READ_ONLY = "25006";

/**
 * A pool of connections for one kind of work. A timer of this server limits every call, even if PostgreSQL is silent.
 */
export interface Database {
  /**
   * Runs `work` within a time limit in milliseconds. Rejects with QueryError, DatabaseDeadlineError, or the error of
   * `work`.
   */
  run<T>(work: (db: Db) => Promise<T>, deadlineMs?: number): Promise<T>;
  /** Like `run`, without prepared statements: for statements whose text depends on the caller's input. */
  runUnprepared<T>(work: (db: Db) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Seconds that other calls on a replaced pool of connections have to end. */
const FAREWELL_S = 5;

export function openDatabase(options: DatabaseOptions): Database {
  let pool = openPool(options);

  /** Opens a new pool, since postgres.js may keep a connection that never answers again after one was lost. */
  function replace(used: Pool, graceSeconds: number): void {
    if (pool !== used) return;
    pool = openPool(options);
    void used.client.end({ timeout: graceSeconds }).catch(() => {});
  }

  async function within<T>(deadlineMs: number, work: (pool: Pool) => Promise<T>): Promise<T> {
    const used = pool;
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      reject(new DatabaseDeadlineError(options.name, deadlineMs));
      replace(used, 0);
    }, deadlineMs);
    try {
      return await Promise.race([work(used), late]);
    } catch (thrown) {
      const error = asQueryFailed(thrown);
      // A read-only session stays so after the setting was changed, and a standby's address may lead to a new primary.
      if (isConnectionLost(error) || hasCode(error, READ_ONLY)) replace(used, FAREWELL_S);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    run: (work, deadlineMs = options.deadlineMs) => within(deadlineMs, ({ db }) => work(db)),
    runUnprepared: (work) => within(options.deadlineMs, ({ unprepared }) => work(unprepared)),
    close: () => pool.client.end({ timeout: 2 }),
  };
}

/**
 * Turns errors of the driver into QueryError. drizzle wraps errors of statements but not those of BEGIN and COMMIT,
 * which have a code.
 */
function asQueryFailed(thrown: unknown): unknown {
  if (thrown instanceof DrizzleQueryError)
    return new QueryError(thrown.query, thrown.cause ?? new Error("no cause given"));
  if (thrown instanceof Error && "code" in thrown) return new QueryError("", thrown);
  return thrown;
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof QueryError && (error.cause as { code?: unknown }).code === code;
}

type Pool = ReturnType<typeof openPool>;

function openPool(options: DatabaseOptions) {
  const client = connect(options.url, options);
  return { client, db: drizzle(preparing(client)) as Db, unprepared: drizzle(client) as Db };
}

/**
 * Makes a client send prepared statements. drizzle sends unnamed ones, which PostgreSQL parses and plans each time; for
 * a claim, or for loading a run, that takes longer than running them.
 */
function preparing<S extends postgres.Sql>(client: S): S {
  return new Proxy(client, {
    get(target, key, receiver) {
      if (key === "unsafe")
        return (query: string, values: never[]) => target.unsafe(query, values, { prepare: true });
      if (key === "begin")
        return (work: (tx: unknown) => unknown) =>
          target.begin((tx) => work(preparing(tx as unknown as postgres.Sql)));
      return Reflect.get(target, key, receiver);
    },
  });
}

/** Seconds after which an unused connection is closed. */
const IDLE_S = 10;

/** Milliseconds after which PostgreSQL ends an idle transaction, whose server may have stopped, and frees its locks. */
const IDLE_IN_TRANSACTION_MS = 10_000;

/**
 * Returns a postgres.js client with the settings that all connections share. `deadlineMs` is also PostgreSQL's
 * statement_timeout, so that statements which this server has given up on do not pile up behind a lock.
 */
export function connect(
  url: string,
  options: { max: number; name: string; deadlineMs?: number; plansOnce?: boolean },
): postgres.Sql {
  return postgres(url, {
    ...socketOptions(url),
    max: options.max,
    // Array types are not needed, since arrays are sent as text. Losing a connection while it fetches them ends the
    // process.
    fetch_types: false,
    connect_timeout: 5,
    idle_timeout: IDLE_S,
    keep_alive: 10,
    // Reconnects after 1 s at most, since output waits in the spool meanwhile.
    backoff: (attempts) => Math.min(0.05 * 2 ** attempts, 1),
    onnotice: () => {},
    connection: {
      application_name: `signalman ${options.name}`,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
      statement_timeout: options.deadlineMs ?? 0,
      ...(options.plansOnce && { plan_cache_mode: "force_generic_plan" }),
    },
  });
}

/** Returns the hosts and ports of a database's URL, as the driver reads them; none for a unix socket. */
export function endpointsOf(url: string): { host: string; port: number }[] {
  const { host, port, path } = connect(url, { max: 1, name: "endpoints" }).options;
  return path ? [] : host.map((name, at) => ({ host: name, port: port[at] ?? 5432 }));
}
