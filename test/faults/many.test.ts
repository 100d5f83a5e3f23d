import { Code } from "@connectrpc/connect";
import type postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TaskService, type WatchTasksResponse } from "../../gen/signalman/v1/task_service_pb.ts";
import { essence, TRANSPORTS } from "../http/clients.ts";
import { randomSource } from "../logs/support.ts";
import { invalid, openSql, refusal } from "../rpc/support.ts";
import { applyDemo, runDemo } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { collect } from "../watch/events.ts";
import { type Telling, truth, type WatchTasksInit, watchInPieces } from "./many.ts";

const SERVER = { SIGNALMAN_MAX_PARALLEL_TASKS: "20" };
/** Two servers on one database, which both run tasks. */
let one: TestService;
let two: TestService;
let sql: postgres.Sql;
beforeAll(async () => {
  one = await startService({ env: SERVER });
  two = await startService({ env: SERVER, databaseUrl: one.databaseUrl });
  sql = openSql(one);
  const parallel = { allowParallelTasks: true };
  await applyDemo(one, {
    quick: { script: "exit 0", ...parallel },
    fails: { script: "exit 1", ...parallel },
    // The path does not exist: these tasks fail during preparation, so that many changes happen at once.
    lost: { script: "", path: "nowhere", ...parallel },
    hangs: { script: "sleep 60", ...parallel },
    lone: "exit 0",
  });
});
afterAll(async () => {
  await sql.end();
  await two[Symbol.asyncDispose]();
  await one[Symbol.asyncDispose]();
});

const TASKS = 500;

/** Resolves when half of the tasks have ended. */
async function halfWay(sql: postgres.Sql): Promise<void> {
  for (let ended = 0; ended < TASKS / 2; )
    ended = Number((await sql`SELECT count(*) FROM tasks WHERE end_time IS NOT NULL`)[0]?.count);
}

/** Runs tasks of all kinds from both servers, and kills some of them; resolves when all have ended. */
async function runMany(random: (below: number) => number): Promise<void> {
  const writers = Array.from({ length: 8 }, async (_, writer) => {
    const service = writer % 2 ? one : two;
    const names: string[] = [];
    for (let i = writer; i < TASKS; i += 8) {
      const template = i % 50 === 3 ? "hangs" : (["quick", "fails", "lone"][i % 30] ?? "lost");
      const { name } = await runDemo(service, template, { labels: i % 3 === 0 ? { third: "yes" } : {} });
      names.push(name);
      if (template === "hangs" || random(20) === 0)
        await service.client(TaskService).killTask({ name, force: true });
    }
    for (const name of names) await collect(service, { name, logs: false });
  });
  await Promise.all(writers);
}

describe("WatchTasks while 500 tasks run on two servers", () => {
  const tellings: Record<string, Telling> = {};

  test("is cut and resumed many times, on both servers", async () => {
    const ways = Object.values(TRANSPORTS).flatMap((transport) => [transport(one.url), transport(two.url)]);
    let last = "none yet";
    const watch = (seed: number, request: WatchTasksInit) =>
      watchInPieces(request, {
        ways,
        random: randomSource(seed),
        until: (changes) => changes.at(-1) === last,
      });
    const early = [
      watch(3, { parent: "projects/demo" }),
      watch(4, { parent: "projects/-" }),
      watch(5, { parent: "projects/demo", filter: "labels.third = yes" }),
    ];
    const running = runMany(randomSource(6));
    await halfWay(sql);
    const middle = watch(7, { parent: "projects/demo" });
    await running;
    const { name } = await runDemo(one, "lost", { labels: { third: "yes" } });
    last = `${name.split("/").at(-1)} ERROR`;
    const [all, everywhere, third] = await Promise.all(early);
    Object.assign(tellings, { all, everywhere, third, middle: await middle });
  });

  test.each(["all", "everywhere", "middle"])("sends each change once and in order: %s", async (name) => {
    const telling = tellings[name] as Telling;
    const { snapshot, changes } = await truth(sql, telling.position);
    expect(telling.snapshot).toEqual(snapshot);
    expect(telling.changes).toEqual(changes);
    expect(telling.cuts).toBeGreaterThan(50);
  });

  test("with a filter sends each change that the filter selects, once and in order", async () => {
    const wanted = new Set(
      (await sql`SELECT id::text FROM tasks WHERE labels @> '{"third": "yes"}'`).map(({ id }) => String(id)),
    );
    const { changes } = await truth(sql, tellings.third?.position ?? 0);
    expect(tellings.third?.changes).toEqual(
      changes.filter((change) => wanted.has(change.split(" ")[0] ?? "")),
    );
    expect(wanted.size).toBe(Math.ceil(TASKS / 3) + 1);
  });
});

/** Returns the fingerprint of the query in a token. */
const printOf = (token = "") => JSON.parse(Buffer.from(token, "base64url").toString())[1];
const tasks = () => one.client(TaskService);
/** Returns the first message of a watch that has a token. */
async function first(request: WatchTasksInit): Promise<WatchTasksResponse | undefined> {
  for await (const response of tasks().watchTasks(request)) if (response.resumeToken) return response;
  return undefined;
}

describe("a resume token of WatchTasks", () => {
  test("is answered by a heartbeat if nothing has happened since, and is valid for its own query only", async () => {
    const parent = "projects/demo";
    const { resumeToken = "" } = (await first({ parent })) ?? {};
    expect(await first({ parent, resumeToken })).toMatchObject({ resumeToken, event: { case: "heartbeat" } });
    for (const other of [{ parent: "projects/-" }, { parent, filter: "template = lost" }])
      expect(await refusal(tasks().watchTasks({ ...other, resumeToken }))).toEqual(invalid("resume_token"));
  });

  test("that was invented, or comes from another database, is refused", async () => {
    const { resumeToken = "" } = (await first({ parent: "projects/demo" })) ?? {};
    const print = printOf(resumeToken);
    const positions = ["x", "-1", "1e3", "\0", "999999999999999", "9".repeat(30)];
    const made = positions.map((position) =>
      Buffer.from(JSON.stringify([position, print])).toString("base64url"),
    );
    for (const garbage of ["x", "bnVsbA", ...made])
      expect(await refusal(tasks().watchTasks({ parent: "projects/demo", resumeToken: garbage }))).toEqual(
        invalid("resume_token"),
      );
  });
});

test("WatchTasks refuses a filter by fields that change", async () => {
  for (const filter of ["status = RUNNING", "create_time > 2026-01-01T00:00:00Z", "x"])
    expect(await refusal(tasks().watchTasks({ parent: "projects/-", filter }))).toEqual(invalid("filter"));
  expect(await refusal(tasks().watchTasks({ parent: "projects/none" }))).toMatchObject({ code: "NotFound" });
});

test("a message of WatchTasks has the status and the end that its change brought", async () => {
  const { name } = await runDemo(two, "fails");
  const seen: unknown[] = [];
  await collect(one, { name, logs: false });
  const start = Buffer.from(
    JSON.stringify(["0", printOf((await first({ parent: "projects/demo" }))?.resumeToken)]),
  );
  for await (const { event } of tasks().watchTasks({
    parent: "projects/demo",
    resumeToken: start.toString("base64url"),
  })) {
    if (event.case !== "change" || event.value.task?.name !== name) continue;
    const { change, task } = event.value;
    seen.push([change?.status, task.status, change?.end?.exitCode, task.end?.exitCode]);
    if (change?.end) break;
  }
  const none = undefined;
  expect(seen).toEqual([
    [1, 1, none, none],
    [2, 2, none, none],
    [3, 3, none, none],
    [10, 10, 1, 1],
  ]);
});

test("a shutdown ends WatchTasks with UNAVAILABLE and a delay before the next try", async () => {
  const watch = tasks().watchTasks({ parent: "projects/-" })[Symbol.asyncIterator]();
  await watch.next();
  const ended = (async () => {
    for (;;) await watch.next();
  })().catch(essence);
  await one.kill();
  expect(await ended).toEqual({ code: Code.Unavailable, reason: "SERVER_SHUTDOWN", retryMs: 1000 });
  await one.start();
});
