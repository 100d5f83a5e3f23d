import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { applyDemo } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { watch } from "../watch/events.ts";
import { PUPPET, runPuppet } from "../watch/puppet.ts";
import { commonOf, WATCHERS } from "./watchers.ts";

let service: TestService;
beforeAll(async () => {
  service = await startService();
  await applyDemo(service, { puppet: PUPPET });
});
afterAll(() => service[Symbol.asyncDispose]());

const OUTPUT = `
for i in 1 2 3; do echo "out $i"; echo "err $i" >&2; done
printf 'no newline: '
printf '\\xff\\x00\\xfe \\033[31mred\\033[0m ü\\n'
head -c 40000 /dev/zero | tr '\\0' x; echo
seq 5000`
  .replaceAll("\n", ";")
  .replace(/^;/, "");

test(`${Object.keys(WATCHERS).length} clients that watch one task at once get the same lines and statuses`, async () => {
  const first = await runPuppet(service, "puppet");
  const ahead = watch(service, first);
  await ahead.status("RUNNING");
  const task = await runPuppet(service, "puppet");
  // All watches are open while the task still waits.
  const watches = Object.entries(WATCHERS).map(([name, watcher]) => {
    const began = Promise.withResolvers<void>();
    const all = collect(watcher(service.url, { name: task.name }), () => began.resolve());
    all.catch(began.reject);
    return { name, all, began: began.promise };
  });
  await Promise.all(watches.map(({ began }) => began));
  await first.do("exit");
  const live = watch(service, task);
  await live.status("RUNNING");
  await task.do(OUTPUT);
  await live.line("5000");
  await task.do("exit 3");
  const [reference] = watches;
  const expected = commonOf((await reference?.all) ?? []);
  expect(expected.length).toBeGreaterThan(5010);
  const odd = Buffer.from("no newline: \xff\0\xfe \x1b[31mred\x1b[0m \xc3\xbc", "latin1").toString("base64");
  expect(expected).toContainEqual(expect.objectContaining({ content: odd }));
  for (const { name, all } of watches) {
    const events = await all;
    expect(Object.keys(events[0] ?? {}), name).toContain("snapshot");
    expect(Object.keys(events.at(-1) ?? {}), name).toContain("end");
    expect(
      events.every((event) => event.resumeToken),
      name,
    ).toBe(true);
    expect(commonOf(events), name).toEqual(expected);
  }
});

async function collect(events: AsyncIterable<JsonObject>, onFirst: () => void): Promise<JsonObject[]> {
  const all: JsonObject[] = [];
  for await (const event of events) {
    all.push(event);
    onFirst();
  }
  return all;
}
