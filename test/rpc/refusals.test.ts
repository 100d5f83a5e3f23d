import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { limitRefusals, type Refusal } from "../../src/rpc/refusals.ts";
import type { Actor } from "../../src/task/caller.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const actor = (caller: string): Actor => ({ caller, address: "", method: "S/M", requestId: "", fields: [] });
const refusal = (resource: string, code = "NOT_FOUND"): Refusal => ({
  resource,
  code,
  reason: "RESOURCE_NOT_FOUND",
});

function recorder() {
  const recorded: string[] = [];
  let isAway = false;
  const record = limitRefusals(
    async ({ caller }, { resource, code, omitted }) => {
      if (isAway) throw new Error("The database is away");
      recorded.push(`${caller} ${code} ${resource} +${omitted}`);
    },
    { burst: 3, everyMs: 1000 },
  );
  return { recorded, record, away: (now: boolean) => (isAway = now) };
}

test("refusals beyond the burst are counted, and the newest is recorded with their number", async () => {
  const { record, recorded } = recorder();
  for (let at = 1; at <= 10; at++) await record(actor("a"), refusal(`r${at}`));
  const burst = ["a NOT_FOUND r1 +0", "a NOT_FOUND r2 +0", "a NOT_FOUND r3 +0"];
  expect(recorded).toEqual(burst);
  await vi.advanceTimersByTimeAsync(1000);
  expect(recorded).toEqual([...burst, "a NOT_FOUND r10 +6"]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(recorded).toHaveLength(4);
  await record(actor("a"), refusal("r11"));
  expect(recorded.at(-1)).toBe("a NOT_FOUND r11 +0");
});

test("a flood is one event in each interval, and no refusal is uncounted", async () => {
  const { record, recorded } = recorder();
  for (let at = 0; at < 50; at++) {
    for (let one = 0; one < 20; one++) await record(actor("a"), refusal("r"));
    await vi.advanceTimersByTimeAsync(100);
  }
  await vi.advanceTimersByTimeAsync(1000);
  expect(recorded.length).toBeLessThanOrEqual(3 + 6);
  const omitted = recorded.map((line) => Number(line.split("+")[1]));
  expect(recorded.length + omitted.reduce((a, b) => a + b)).toBe(1000);
});

test("one caller, and one code, does not use up the limit of another", async () => {
  const { record, recorded } = recorder();
  for (let at = 0; at < 10; at++) await record(actor("a"), refusal("r"));
  await record(actor("b"), refusal("r"));
  await record(actor("a"), refusal("r", "PERMISSION_DENIED"));
  expect(recorded.slice(3)).toEqual(["b NOT_FOUND r +0", "a PERMISSION_DENIED r +0"]);
});

test("what the database does not take is recorded later, with those that came meanwhile", async () => {
  const { record, recorded, away } = recorder();
  away(true);
  await record(actor("a"), refusal("r1"));
  await vi.advanceTimersByTimeAsync(1000);
  await record(actor("a"), refusal("r2"));
  expect(recorded).toEqual([]);
  away(false);
  await vi.advanceTimersByTimeAsync(1000);
  expect(recorded).toEqual(["a NOT_FOUND r2 +1"]);
});
