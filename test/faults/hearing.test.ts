import { expect, test } from "vitest";
import { openBus } from "../../src/store/bus.ts";
import { testDatabase } from "../helpers/database.ts";
import { openProxy } from "./proxy.ts";

/** A bus that tells when it hears of a task, and when it has begun to listen. */
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
  { timeout: 60_000 },
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
