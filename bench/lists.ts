import postgres from "postgres";
import { socketOptions } from "../src/embedded/socket-url.ts";
import { type Database, openDatabase } from "../src/store/postgres/database.ts";
import { isOneOf } from "../src/store/postgres/is-one-of.ts";
import { migrate } from "../src/store/postgres/migrate.ts";
import { tasks } from "../src/store/schema/tasks.ts";
import { listTasks, type TaskQuery } from "../src/store/tasks/task-list.ts";
import type { TaskPlace } from "../src/store/tasks/task-order.ts";
import type { TaskSelection } from "../src/store/tasks/task-terms.ts";
import { selectTasks } from "../src/store/tasks/tasks.ts";
import { fillTasks, filters, OLD_LABEL, ORDERS } from "./many-tasks.ts";
import { percentile, type Row, ratio } from "./measure.ts";
import type { BenchServer } from "./server.ts";

const FEW = 1000;
const MANY = 1_000_000;
const ROUNDS = 5;
const PAGE = 50;
/** Goal for every page. */
const LIMIT_MS = 20;

/** (h) Measures a page of few and of many tasks: each kind of filter, in each order, at the start and half way. */
export async function benchLists(_: BenchServer, { floorUrl }: { floorUrl: string }): Promise<Row[]> {
  await migrate(floorUrl);
  const few = await measure(floorUrl, FEW);
  const many = await measure(floorUrl, MANY);
  const kinds = [...many.kinds].sort(([, a], [, b]) => b - a);
  const [slowest, ms] = kinds[0] ?? ["", Number.NaN];
  const late = kinds.filter(([, time]) => time > LIMIT_MS);
  for (const [name, time] of late) process.stderr.write(`${time.toFixed(1)} ms: ${name}\n`);
  const median = {
    few: percentile([...few.kinds.values()], 50),
    many: percentile([...many.kinds.values()], 50),
  };
  const of = (number: number) => `of ${number.toLocaleString("en")} tasks`;
  const row = (what: string, value: number): Row => ({ part: "h", what, value, unit: "ms" });
  return [
    row(`${PAGE} tasks by their ids ${of(MANY)}, p50`, many.byIds),
    row(`a page ${of(FEW)}, the median of ${kinds.length} kinds`, median.few),
    row(`a page ${of(MANY)}, the median of ${kinds.length} kinds`, median.many),
    row(`a page ${of(FEW)}, the slowest kind's p50`, Math.max(...few.kinds.values())),
    row(`a page ${of(MANY)}, the slowest kind's p50: ${slowest}`, ms),
    row(`a page of a label that 100,000 have, all old, ${of(MANY)}`, many.oldLabel),
    ratio("h", `the median of a page ${of(MANY)} / ${of(FEW)}`, median.many / median.few, "≤", 2, "times"),
    ratio("h", `kinds slower than ${LIMIT_MS} ms ${of(MANY)}`, late.length, "≤", 0, `of ${kinds.length}`),
    ratio("h", `the slowest kind's p50 ${of(MANY)}`, ms, "≤", 100, "ms"),
  ];
}

interface Times {
  byIds: number;
  /** Median of each kind of filter and order, in milliseconds. */
  kinds: Map<string, number>;
  oldLabel: number;
}

async function measure(url: string, count: number): Promise<Times> {
  const sql = postgres(url, { ...socketOptions(url), max: 1, onnotice() {} });
  const database = openDatabase({ url, max: 2, name: "lists", deadlineMs: 60_000 });
  await filled(sql, count);
  const [half] =
    await sql`SELECT id, extract(epoch FROM create_time) * 1000000 AS micros FROM tasks ORDER BY id OFFSET ${count / 2} LIMIT 1`;
  const middle = { micros: Number(half?.micros), id: String(half?.id) };
  const ids = (await sql`SELECT id FROM tasks ORDER BY id DESC LIMIT ${PAGE}`).map(({ id }) => String(id));
  const kinds = new Map<string, number>();
  for (const [name, filter] of Object.entries(filters(new Date(middle.micros / 1000)))) {
    for (const query of queriesOf(filter, middle)) {
      const { by, isDescending } = query.order;
      const kind = `${name}, by ${by}${isDescending ? " desc" : ""}${query.after ? ", half way" : ""}`;
      kinds.set(kind, await listMs(database, query));
    }
  }
  const old = [];
  for (const query of queriesOf(OLD_LABEL, middle)) old.push(await listMs(database, query));
  const byIds = await p50(() => database.run((db) => selectTasks(db).where(isOneOf(tasks.id, ids))));
  await database.close();
  await sql.end();
  return { byIds, kinds, oldLabel: Math.max(...old) };
}

const queriesOf = (filter: TaskSelection, middle: TaskPlace): TaskQuery[] =>
  ORDERS.flatMap((order) => [null, middle].map((after) => ({ ...filter, order, after, limit: PAGE })));

const listMs = (database: Database, query: TaskQuery) => p50(() => listTasks(database, query));

async function p50(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return percentile(times, 50);
}

/** Fills the table without its indexes and makes them at the end, which takes a third of the time. */
async function filled(sql: postgres.Sql, count: number): Promise<void> {
  const indexes = await sql`
    SELECT indexname AS name, indexdef AS definition FROM pg_indexes
    WHERE tablename = 'tasks' AND indexname <> 'tasks_pkey'`;
  for (const { name } of indexes) await sql`DROP INDEX ${sql(name)}`;
  await fillTasks(sql, count);
  for (const { definition } of indexes) await sql.unsafe(definition);
}
