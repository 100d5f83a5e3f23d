import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { assertWritable } from "../../../src/store/housekeeping.ts";
import { openBus } from "../../../src/store/postgres/bus.ts";
import { DatabaseDeadlineError, openDatabase, QueryError } from "../../../src/store/postgres/database.ts";
import {
  isDatabaseAway,
  isTransientError,
  retryTransient,
  violatedConstraint,
} from "../../../src/store/postgres/transient-errors.ts";
import { LeaseLostError } from "../../../src/task/errors.ts";
import { NODE, OTHER_NODE, openStore, type TestStore } from "../fixture.ts";

let store: TestStore;
beforeAll(async () => {
  store = await openStore();
});
afterAll(() => store[Symbol.asyncDispose]());

const never = new AbortController().signal;

describe("a database call", () => {
  test("without an answer ends at its deadline with a transient error, and the next one succeeds", async () => {
    const database = openDatabase({ url: store.url, max: 1, name: "slow", deadlineMs: 15_000 });
    const error = await database
      .run((db) => db.execute(sql`SELECT pg_sleep(60)`), 200)
      .catch((e: unknown) => e);
    expect(error).toEqual(new DatabaseDeadlineError("slow", 200));
    expect(isTransientError(error)).toBe(true);
    expect([...(await database.run((db) => db.execute(sql`SELECT 1 AS one`)))]).toEqual([{ one: 1 }]);
    await database.close();
  });

  test("that fails leaves its parameters, which may be secret, out of the error", async () => {
    const error = await store.database
      .run((db) => db.execute(sql`SELECT ${"hunter2"}::uuid AS x, ${"also hidden"}::text AS y`))
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(QueryError);
    expect(JSON.stringify(error) + (error as Error).stack).not.toContain("also hidden");
  });

  test("succeeds after an earlier connection was cut", async () => {
    await store.database.run((db) => db.execute(sql`SELECT 1`));
    await store.sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'signalman test' AND datname = current_database()`;
    const rows = await retryTransient(
      () => store.database.run((db) => db.execute(sql`SELECT 1 AS one`)),
      never,
    );
    expect([...rows]).toEqual([{ one: 1 }]);
  });
});

describe("a pool", () => {
  const sessions = async () => {
    const [row] = await store.sql`
      SELECT count(*)::integer AS n FROM pg_stat_activity
      WHERE application_name = 'signalman crowd' AND datname = current_database()`;
    return row?.n as number;
  };

  test("closes all connections when it is idle", { timeout: 60_000 }, async () => {
    const database = openDatabase({ url: store.url, max: 6, name: "crowd", deadlineMs: 15_000 });
    await Promise.all(
      Array.from({ length: 6 }, () => database.run((db) => db.execute(sql`SELECT pg_sleep(0.1)`))),
    );
    expect(await sessions()).toBe(6);
    await expect.poll(sessions, { timeout: 40_000 }).toBe(0);
    expect([...(await database.run((db) => db.execute(sql`SELECT 1 AS one`)))]).toEqual([{ one: 1 }]);
    await database.close();
  });

  test("that was read-only writes again as soon as new sessions may write", async () => {
    const database = openDatabase({ url: store.url, max: 2, name: "standby", deadlineMs: 15_000 });
    const write = () => database.run((db) => db.execute(sql`UPDATE projects SET revision = revision`));
    const [row] = await store.sql`SELECT current_database() AS name`;
    await store.sql`ALTER DATABASE ${store.sql(row?.name)} SET default_transaction_read_only = on`;
    await expect(write()).rejects.toThrow(/read-only transaction/);
    await expect(assertWritable(database)).rejects.toThrow("read-only");
    await store.sql`ALTER DATABASE ${store.sql(row?.name)} RESET default_transaction_read_only`;
    await assertWritable(database);
    await write();
    await database.close();
  });
});

describe("an error", () => {
  const withCode = (code: string) =>
    new Error("outer", { cause: Object.assign(new Error("inner"), { code }) });

  const TRANSIENT = `08006 0A000 25006 25P03 28000 28P01 3D000 40001 40P01 42501 53100 53300 55006 55P03 57014 57P01 57P03
    58030 XX000 ECONNREFUSED CONNECTION_CLOSED CONNECT_TIMEOUT SASL_SIGNATURE_MISMATCH CERT_HAS_EXPIRED`;

  test.each(TRANSIENT.split(/\s+/))("%s is transient", (code) =>
    expect(isTransientError(withCode(code))).toBe(true),
  );

  test.each(["22P02", "22021", "23505", "23514", "42601", "42P01", "UNDEFINED_VALUE", "ERR_OUT_OF_RANGE"])(
    "%s is final",
    (code) => expect(isTransientError(withCode(code))).toBe(false),
  );

  test("counts as one of the database only if the database threw it, not a lease, a file or a client's socket", async () => {
    expect(isTransientError(new LeaseLostError("x"))).toBe(false);
    expect(isDatabaseAway(withCode("ENOENT"))).toBe(false);
    expect(isDatabaseAway(withCode("ECONNRESET"))).toBe(false);
    expect(isDatabaseAway(new Error("outer", { cause: new DatabaseDeadlineError("reads", 1) }))).toBe(true);
    const url = "postgres://me:secret@127.0.0.1:1/tasks";
    const nowhere = openDatabase({ url, max: 1, name: "nowhere", deadlineMs: 5000 });
    for (const work of [
      () => nowhere.run((db) => db.execute(sql`SELECT 1`)),
      () => nowhere.run((db) => db.transaction((tx) => tx.execute(sql`SELECT 1`))),
    ]) {
      const error = await work().catch((e: unknown) => e);
      expect(error).toBeInstanceOf(QueryError);
      expect(isDatabaseAway(error)).toBe(true);
    }
    await nowhere.close();
  });

  test("that is transient is retried until the work succeeds", async () => {
    let tries = 0;
    const work = async () => {
      tries++;
      if (tries < 3) throw withCode("57P01");
      return "done";
    };
    expect(await retryTransient(work, never)).toBe("done");
    expect(tries).toBe(3);
  });

  test("that is final is thrown at once; an abort ends the retries with its reason", async () => {
    let tries = 0;
    const broken = async () => {
      tries++;
      throw withCode("42601");
    };
    await expect(retryTransient(broken, never)).rejects.toThrow("outer");
    expect(tries).toBe(1);
    const stop = new AbortController();
    const away = retryTransient(async () => {
      stop.abort(new Error("shutdown"));
      throw withCode("08006");
    }, stop.signal);
    await expect(away).rejects.toThrow("shutdown");
  });

  test("that lasts forever does not outlast an abort", async () => {
    const stop = new AbortController();
    const silent = retryTransient(() => new Promise(() => {}), stop.signal);
    stop.abort(new Error("shutdown"));
    await expect(silent).rejects.toThrow("shutdown");
  });

  test("about a constraint has its name", async () => {
    await store.sql`INSERT INTO projects (name, spec) VALUES ('twice', '{}')`;
    const again = store.database.run((db) =>
      db.execute(sql`INSERT INTO projects (name, spec) VALUES ('twice', '{}')`),
    );
    expect(violatedConstraint(await again.catch((e: unknown) => e))).toBe("projects_pkey");
    expect(violatedConstraint(new Error("another"))).toBeUndefined();
  });
});

describe("the bus", () => {
  /** Opens a bus that records its notifications, with a wait for more. */
  async function join(node: string) {
    const heard: string[] = [];
    let queues = 0;
    let connections = 0;
    let changed = () => {};
    const bus = openBus({
      url: store.url,
      node,
      onNotice({ tasks, queue }) {
        heard.push(...tasks);
        if (queue) queues++;
        changed();
      },
      onReconnect() {
        connections++;
        changed();
      },
    });
    const until = async (isThere: () => boolean) => {
      while (!isThere()) {
        await new Promise<void>((resolve) => {
          changed = resolve;
        });
      }
    };
    await until(() => connections === 1);
    return { bus, heard, until, queues: () => queues, connections: () => connections };
  }

  test("notifies the other servers of all changes, and no server of its own", async () => {
    const [one, two] = await Promise.all([join(NODE), join(OTHER_NODE)]);
    const ids = Array.from({ length: 450 }, (_, i) => `task-${i}`.padEnd(36, "x"));
    for (const id of ids) one.bus.publish(id);
    one.bus.publish("last", { queue: true });
    await two.until(() => two.heard.includes("last"));
    expect(two.heard.toSorted()).toEqual([...ids, "last"].sort());
    expect(two.queues()).toBe(1);
    expect(one.heard).toEqual([]);
    await Promise.all([one.bus.close(), two.bus.close()]);
  });

  test("reports that its connection was cut and opened again", async () => {
    const { bus, until, connections } = await join(NODE);
    await store.sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'signalman bus' AND datname = current_database()`;
    await until(() => connections() === 2);
    await bus.close();
  });
});
