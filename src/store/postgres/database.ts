import { DrizzleQueryError } from "drizzle-orm";
import { drizzle, type PostgresJsDatabase } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { socketOptions } from "../../embedded/socket-url.ts";
import { isConnectionLost } from "./connection-errors.ts";

export type Db = PostgresJsDatabase<Record<string, never>>;
/** A transaction, or the database itself. */
export type Queryable = Pick<Db, "execute" | "select" | "insert" | "update" | "delete">;

export interface DatabaseOptions {
  url: string;
  /** Connections at most. */
  max: number;
  /** Shown in pg_stat_activity. */
  name: string;
  /** Milliseconds that one piece of work may take. */
  deadlineMs: number;
  /**
   * PostgreSQL plans each statement once for a connection, whatever its values: right where they choose single rows. What
   * few tasks have, as a status, is written into the statement. Left to itself it planned the details of a run anew each
   * time, a third of a millisecond.
   */
  plansOnce?: boolean;
}

/** No answer in time. The connections are thrown away: a half-open socket would hang every query after it. */
export class DatabaseDeadline extends Error {
  constructor(name: string, ms: number) {
    super(`PostgreSQL (${name}) did not answer within ${ms} ms`);
    this.name = "DatabaseDeadline";
  }
}

/**
 * A statement failed, or the connection that it needed. Its parameters are left out: they may be what users want nobody to
 * see in a log.
 */
export class QueryFailed extends Error {
  /** Empty for BEGIN, COMMIT, and what the driver sends by itself. */
  readonly query: string;

  constructor(query: string, cause: Error) {
    super(`A query failed: ${cause.message}`, { cause });
    this.name = "QueryFailed";
    this.query = query;
  }
}

/** Only reading is allowed for now: the server is a standby, or was told so. Its code is PostgreSQL's own. */
export class DatabaseReadOnly extends Error {
  readonly code = READ_ONLY;

  constructor() {
    super("The database is read-only");
    this.name = "DatabaseReadOnly";
  }
}

const READ_ONLY = "25006";

/** A pool of connections for one kind of work, with a deadline on our side for every piece of it. */
export interface Database {
  run<T>(work: (db: Db) => Promise<T>, deadlineMs?: number): Promise<T>;
  /** The same for statements whose form a caller decides: there is no end of them, so connections keep none prepared. */
  runUnprepared<T>(work: (db: Db) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Seconds that other work on the connections of a pool may take, once one of them was lost. */
const FAREWELL_S = 5;

export function openDatabase(options: DatabaseOptions): Database {
  let pool = openPool(options);

  /** After a loss postgres.js may keep a connection that never answers again: none of them is used any longer. */
  function replace(used: Pool, graceSeconds: number): void {
    if (pool !== used) return;
    pool = openPool(options);
    void used.client.end({ timeout: graceSeconds }).catch(() => {});
  }

  async function within<T>(deadlineMs: number, work: (pool: Pool) => Promise<T>): Promise<T> {
    const used = pool;
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      reject(new DatabaseDeadline(options.name, deadlineMs));
      replace(used, 0);
    }, deadlineMs);
    try {
      return await Promise.race([work(used), late]);
    } catch (thrown) {
      const error = asQueryFailed(thrown);
      // Sessions keep a default_transaction_read_only of the time when they began, and a standby's may be led elsewhere.
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

/** Only what the driver throws has a code: drizzle wraps what a statement threw, but not what BEGIN and COMMIT did. */
function asQueryFailed(thrown: unknown): unknown {
  if (thrown instanceof DrizzleQueryError)
    return new QueryFailed(thrown.query, thrown.cause ?? new Error("no cause given"));
  if (thrown instanceof Error && "code" in thrown) return new QueryFailed("", thrown);
  return thrown;
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof QueryFailed && (error.cause as { code?: unknown }).code === code;
}

type Pool = ReturnType<typeof openPool>;

function openPool(options: DatabaseOptions) {
  const client = connect(options.url, options);
  return { client, db: drizzle(preparing(client)) as Db, unprepared: drizzle(client) as Db };
}

/**
 * drizzle sends unnamed statements, which PostgreSQL parses and plans anew each time: for a claim, or for the details
 * of a run, that takes longer than running them.
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

/** Seconds after which a connection that nothing uses is closed. */
const IDLE_S = 10;

/** Milliseconds after which PostgreSQL gives up on a transaction whose server has stopped, and frees its locks. */
const IDLE_IN_TRANSACTION_MS = 10_000;

/**
 * One postgres.js client, with the settings that all of ours share. With a deadline, PostgreSQL ends what nobody
 * waits for any more: else statements that wait for a lock pile up there.
 */
export function connect(
  url: string,
  options: { max: number; name: string; deadlineMs?: number; plansOnce?: boolean },
): postgres.Sql {
  return postgres(url, {
    ...socketOptions(url),
    max: options.max,
    // Arrays are sent as text; a connection that was lost while it asked for their types would end the process.
    fetch_types: false,
    connect_timeout: 5,
    idle_timeout: IDLE_S,
    keep_alive: 10,
    // Reconnect soon: a log waits in the spool meanwhile.
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
