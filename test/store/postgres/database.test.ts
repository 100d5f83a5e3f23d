import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openBus } from "../../../src/store/postgres/bus.ts";
import { DatabaseDeadline, openDatabase, QueryFailed } from "../../../src/store/postgres/database.ts";
import {
  isTransientError,
  retryTransient,
  violatedConstraint,
} from "../../../src/store/postgres/transient-errors.ts";
import { NODE, OTHER_NODE, openStore, type TestStore } from "../fixture.ts";

let store: TestStore;
beforeAll(async () => {
  store = await openStore();
});
afterAll(() => store[Symbol.asyncDispose]());

const never = new AbortController().signal;

describe("a piece of work", () => {
  test("that gets no answer ends at its deadline, as trouble that passes, and the next one works", async () => {
    const database = openDatabase({ url: store.url, max: 1, name: "slow", deadlineMs: 15_000 });
    const error = await database
      .run((db) => db.execute(sql`SELECT pg_sleep(60)`), 200)
      .catch((e: unknown) => e);
    expect(error).toEqual(new DatabaseDeadline("slow", 200));
    expect(isTransientError(error)).toBe(true);
    expect([...(await database.run((db) => db.execute(sql`SELECT 1 AS one`)))]).toEqual([{ one: 1 }]);
    await database.close();
  });

  test("that fails does not repeat its parameters: they may be secret", async () => {
    const error = await store.database
      .run((db) => db.execute(sql`SELECT ${"hunter2"}::uuid AS x, ${"also hidden"}::text AS y`))
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(QueryFailed);
    expect(JSON.stringify(error) + (error as Error).stack).not.toContain("also hidden");
  });

  test("goes on after its connection was cut", async () => {
    await store.database.run((db) => db.execute(sql`SELECT 1`));
    await store.sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'signalman test' AND datname = current_database()`;
    const rows = await retryTransient(
      () => store.database.run((db) => db.execute(sql`SELECT 1 AS one`)),
      never,
    );
    expect([...rows]).toEqual([{ one: 1 }]);
  });
});

describe("trouble", () => {
  const withCode = (code: string) =>
    new Error("outer", { cause: Object.assign(new Error("inner"), { code }) });

  test.each(
    "08006 53300 57P01 57P03 57014 25P03 25006 40001 40P01 ECONNREFUSED CONNECTION_CLOSED".split(" "),
  )("%s passes by itself", (code) => expect(isTransientError(withCode(code))).toBe(true));

  test.each(["23505", "42601", "22P02", "28P01"])("%s does not", (code) =>
    expect(isTransientError(withCode(code))).toBe(false),
  );

  test("is outlived: work is done again until it succeeds", async () => {
    let tries = 0;
    const work = async () => {
      tries++;
      if (tries < 3) throw withCode("57P01");
      return "done";
    };
    expect(await retryTransient(work, never)).toBe("done");
    expect(tries).toBe(3);
  });

  test("that does not pass is thrown at once; a stop ends the waiting with its reason", async () => {
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

  test("that never ends does not outlast a stop", async () => {
    const stop = new AbortController();
    const silent = retryTransient(() => new Promise(() => {}), stop.signal);
    stop.abort(new Error("shutdown"));
    await expect(silent).rejects.toThrow("shutdown");
  });

  test("with a constraint names it", async () => {
    await store.sql`INSERT INTO projects (name, spec) VALUES ('twice', '{}')`;
    const again = store.database.run((db) =>
      db.execute(sql`INSERT INTO projects (name, spec) VALUES ('twice', '{}')`),
    );
    expect(violatedConstraint(await again.catch((e: unknown) => e))).toBe("projects_pkey");
    expect(violatedConstraint(new Error("another"))).toBeUndefined();
  });
});

describe("the bus", () => {
  /** A bus, what it heard, and a wait for more. */
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

  test("tells the other servers what has changed, all of it, and nobody of his own changes", async () => {
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

  test("says so when it was cut off and is back", async () => {
    const { bus, until, connections } = await join(NODE);
    await store.sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'signalman bus' AND datname = current_database()`;
    await until(() => connections() === 2);
    await bus.close();
  });
});
