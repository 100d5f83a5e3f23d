import { eq } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { tasks } from "../../../src/store/schema/tasks.ts";
import { highestPosition, placeEvents, readEvents, readOpenTasks } from "../../../src/store/tasks/events.ts";
import { EVERYTHING, type Scopes } from "../../../src/store/tasks/scopes.ts";
import type { FixedTerm, TaskSelection } from "../../../src/store/tasks/task-terms.ts";
import { isSelected } from "../../../src/store/tasks/task-terms.ts";
import { finish, transition } from "../../../src/store/tasks/transitions.ts";
import { randomSource } from "../../logs/support.ts";
import { openStore, type TestStore } from "../fixture.ts";

let store: TestStore;
beforeEach(async () => {
  store = await openStore();
  await store.makeProject(["t*", "u*"]);
  await store.makeProject(["t*"], { name: "q" });
});
afterEach(() => store[Symbol.asyncDispose]());

const everything = { scopes: EVERYTHING, project: null, terms: [] };
const tip = async () => (await placeEvents(store.database)).tip;
/** Returns number of the task and status of each transition, in order. */
async function told(ids: readonly string[], after = 0): Promise<string[]> {
  const found = await readEvents(store.database, { after, to: await tip() }, 100_000);
  return found.map(({ event, task }) => `${ids.indexOf(task.id)} ${event.status}`);
}
const moveTo = (id: string, to: "STARTING" | "WAITING" | "RUNNING") =>
  store.database.run((db) =>
    transition(db, {
      to,
      where: eq(tasks.id, id),
      set: { node: "00000000-0000-0000-0000-000000000001", leaseExpires: new Date() },
    }),
  );
const end = (id: string) =>
  finish(
    store.database,
    { id, leaseEpoch: 0 },
    { status: "SUCCESS", reason: null, exitCode: 0, signal: null, message: "" },
  );

describe("positions", () => {
  test("are assigned in the order of time, and within a task in the order of its events", async () => {
    const ids = [await store.makeTask("t"), await store.makeTask("t")];
    const [one = "", two = ""] = ids;
    await moveTo(two, "STARTING");
    await moveTo(one, "STARTING");
    await moveTo(two, "WAITING");
    // The clock was set back.
    await store.sql`UPDATE task_events SET time = time - interval '1 h' WHERE task_id = ${two} AND ordinal = 3`;
    expect(await told(ids)).toEqual(["0 WAITING", "1 WAITING", "1 STARTING", "1 WAITING", "0 STARTING"]);
    const before = await tip();
    await moveTo(two, "STARTING");
    expect(await told(ids, before)).toEqual(["1 STARTING"]);
    expect(await tip()).toBe(before + 1);
    expect(await highestPosition(store.database)).toBe(before + 1);
  });

  test("of a backlog are assigned in batches; each event gets one", async () => {
    const id = await store.makeTask("t");
    await store.sql`
      INSERT INTO task_events (task_id, ordinal, status, time, after_seq)
      SELECT ${id}, n, 'WAITING', now() + n * interval '1 microsecond', 0 FROM generate_series(2, 12000) AS n`;
    const steps = [];
    do steps.push(await placeEvents(store.database));
    while (!steps.at(-1)?.isDone);
    expect(steps.map((step) => step.tip)).toEqual([5000, 10_000, 12_000]);
    const [row] = await store.sql`
      SELECT count(DISTINCT position)::integer AS count, bool_and(position = ordinal) AS straight FROM task_events`;
    expect(row).toEqual({ count: 12_000, straight: true });
  });

  test("are assigned by one server at a time, so that a reader up to the tip misses none during concurrent writes", async () => {
    const random = randomSource(1);
    const ids = await Promise.all(Array.from({ length: 40 }, () => store.makeTask("t")));
    let isWriting = true;
    const writers = Promise.all(
      ids.map(async (id) => {
        for (let i = random(10) + 5; i > 0; i--) {
          await moveTo(id, "STARTING");
          await moveTo(id, "WAITING");
        }
      }),
    ).finally(() => {
      isWriting = false;
    });
    /** Reads like a watcher, up to the tip that its own server has assigned. */
    async function watcher(): Promise<string[]> {
      const seen: string[] = [];
      let at = 0;
      for (let last = false; !last; ) {
        last = !isWriting;
        const { tip: to, isDone } = await placeEvents(store.database);
        last &&= isDone;
        for (const { event, task } of await readEvents(store.database, { after: at, to }, 100_000))
          seen.push(`${task.id} ${event.ordinal}`);
        at = to;
      }
      return seen;
    }
    const [one, two] = await Promise.all([watcher(), watcher(), writers]);
    const rows = await store.sql`SELECT task_id || ' ' || ordinal AS told FROM task_events ORDER BY position`;
    expect(one).toEqual(rows.map((row) => row.told));
    expect(two).toEqual(one);
  });
});

describe("tasks that had not ended at a position", () => {
  const open = async (position: number, selection: TaskSelection<FixedTerm> = everything, limit = 2) => {
    const found: string[] = [];
    let afterId: string | null = null;
    do {
      const page = await readOpenTasks(store.database, selection, position, { afterId, limit });
      found.push(...page.tasks.map(({ task, status }) => `${task.id} ${status}`));
      afterId = page.afterId;
    } while (afterId !== null);
    return found;
  };

  test("are listed with the status that they had at the position", async () => {
    const ids: string[] = [];
    for (let i = 0; i < 7; i++) ids.push(await store.makeTask("t"));
    const [ended = "", endsLater = "", endsUnseen = "", starts = "", waits = "", deleted = ""] = ids;
    for (const id of [ended, endsLater, endsUnseen]) {
      await moveTo(id, "STARTING");
      await moveTo(id, "RUNNING");
    }
    await end(ended);
    const position = await tip();
    await end(endsLater);
    await moveTo(starts, "STARTING");
    await tip();
    await end(endsUnseen);
    await store.sql`DELETE FROM tasks WHERE id = ${deleted}`;
    const late = await store.makeTask("t");
    const expected = [
      `${endsLater} RUNNING`,
      `${endsUnseen} RUNNING`,
      `${starts} WAITING`,
      `${waits} WAITING`,
      `${ids[6]} WAITING`,
    ];
    expect(await open(position)).toEqual(expected);
    expect(await open(position, everything, 3)).toEqual(expected);
    expect(await open(position, everything, 1000)).toEqual(expected);
    expect(await open(await tip())).toEqual([
      `${starts} STARTING`,
      `${waits} WAITING`,
      `${ids[6]} WAITING`,
      `${late} WAITING`,
    ]);
  });

  test("are filtered by project, template and label, in memory as in the store", async () => {
    const random = randomSource(2);
    const values = ["a", "b", ""];
    const pick = <T>(from: readonly T[]) => from[random(from.length)] as T;
    for (let i = 0; i < 60; i++) {
      const labels = Object.fromEntries(
        ["k", "l", "__proto__"].filter(() => random(2)).map((key) => [key, pick(values)]),
      );
      await store.makeTask(pick(["t", "u"]), { project: pick(["p", "q"]), labels });
    }
    const position = await tip();
    const all = await readOpenTasks(store.database, everything, position, { afterId: null, limit: 1000 });
    for (let i = 0; i < 100; i++) {
      const terms = Array.from(
        { length: random(3) },
        (): FixedTerm =>
          random(2)
            ? { field: "label", key: pick(["k", "l", "constructor"]), value: pick(values) }
            : {
                field: "template",
                op: pick(["=", "!="]),
                project: pick([null, "p", "q"]),
                value: pick(["t", "u"]),
              },
      );
      const scopes = pick<Scopes>([
        EVERYTHING,
        [],
        [{ project: "p" }],
        [{ project: "p", template: "u" }, { project: "q" }],
      ]);
      const selection = { scopes, project: pick([null, "p", "q"]), terms };
      const inMemory = all.tasks
        .filter(({ task }) => isSelected(selection, task))
        .map(({ task }) => `${task.id} WAITING`);
      expect(await open(position, selection, 1000), JSON.stringify(selection)).toEqual(inMemory);
      const read = await readEvents(store.database, { after: 0, to: position }, 1000, selection);
      expect(read.map(({ task }) => `${task.id} WAITING`)).toEqual(inMemory);
    }
  });
});
