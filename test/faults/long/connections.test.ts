import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { TaskService } from "../../../gen/signalman/v1/task_service_pb.ts";
import { openBus } from "../../../src/store/postgres/bus.ts";
import { testDatabase } from "../../support/database.ts";
import { applyDemo, runDemo } from "../../support/demo.ts";
import { startService } from "../../support/service.ts";
import { endOf, follow } from "../follow.ts";
import { openProxy } from "../proxy.ts";
import { leavesNothing } from "../traces.ts";
import { expectWhole, stopWriter, WRITER, WRITTEN } from "../writer.ts";

const CUTS = 25;

test.concurrent("a server whose connections are cut again and again, at any moment, goes on", {
  timeout: 600_000,
}, async () => {
  const database = await testDatabase();
  await using proxy = await openProxy(database.url);
  const service = await startService({ databaseUrl: proxy.url });
  const folder = mkdtempSync(join(tmpdir(), "signalman-cuts-"));
  await applyDemo(service, { writer: WRITER });
  const task = await runDemo(service, "writer", { arguments: [folder] });
  using watcher = follow(service, task.name);
  await watcher.counts(50);
  const client = service.client(TaskService);
  for (let cut = 0; cut < CUTS; cut++) {
    const calls = [client.getTask({ name: task.name }), client.listTasks({ parent: "projects/demo" })];
    const answered = Promise.allSettled(calls);
    proxy.cut();
    await delay((cut * 37) % 200);
    proxy.heal();
    await delay((cut * 91) % 300);
    await answered;
  }
  await stopWriter(folder);
  expect(endOf(await watcher.ended)).toMatchObject(WRITTEN);
  expect(watcher.breaks).toEqual([]);
  expect(service.process.exitCode).toBeNull();
  await expectWhole(watcher, folder);
  await leavesNothing(service, task);
  await service[Symbol.asyncDispose]();
  await database.drop();
  rmSync(folder, { recursive: true });
});

/** Opens a bus and reports its notifications, and when it has begun to listen. */
function listener(url: string) {
  const heard = new Map<string, () => void>();
  let listens = Promise.withResolvers<void>();
  const bus = openBus({
    url,
    node: "listener",
    onNotice: ({ tasks }) => tasks.forEach((task) => void heard.get(task)?.()),
    onReconnect: () => listens.resolve(),
  });
  return {
    bus,
    hears: (task: string) => new Promise<void>((resolve) => heard.set(task, resolve)),
    async listens() {
      await listens.promise;
      listens = Promise.withResolvers();
    },
  };
}

test.concurrent.for(["cut", "freeze"] as const)(
  "a bus that a bad network has made deaf (%s) hears again by itself",
  { timeout: 600_000 },
  async (how) => {
    const database = await testDatabase();
    await using proxy = await openProxy(database.url);
    const { bus, hears, listens } = listener(proxy.url);
    const speaker = openBus({ url: database.url, node: "speaker", onNotice() {}, onReconnect() {} });
    await listens();
    const before = hears("before");
    speaker.publish("before");
    await before;

    proxy[how]();
    setTimeout(() => proxy.heal(), 1000);
    await listens();
    const after = hears("after");
    speaker.publish("after");
    await after;
    expect(await Promise.all([bus.close(), speaker.close()])).toHaveLength(2);
    await database.drop();
  },
);
