import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createRefusalLog } from "../../src/telemetry/refusal-log.ts";
import { memoryLogger } from "../http/server.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("the first refusal of a reason is logged at once, later ones by their number", () => {
  const lines: Record<string, unknown>[] = [];
  const refused = createRefusalLog(memoryLogger(lines), 1000);
  const told = () => lines.splice(0).map(({ reason, count, peer }) => [reason, count, peer]);
  for (const peer of ["a:1", "a:2", "a:3"]) refused({ reason: "TOKEN_MISSING", peer });
  refused({ reason: "too many connections", peer: "b:1" });
  expect(told()).toEqual([
    ["TOKEN_MISSING", 1, "a:1"],
    ["too many connections", 1, "b:1"],
  ]);
  vi.advanceTimersByTime(1000);
  expect(told()).toEqual([["TOKEN_MISSING", 2, "a:3"]]);
  refused({ reason: "TOKEN_MISSING", peer: "a:4" });
  expect(told()).toEqual([]);
  vi.advanceTimersByTime(1000);
  expect(told()).toEqual([["TOKEN_MISSING", 1, "a:4"]]);
  vi.advanceTimersByTime(5000);
  refused({ reason: "TOKEN_MISSING", peer: "a:5" });
  expect(told()).toEqual([["TOKEN_MISSING", 1, "a:5"]]);
});
