import { expect, test } from "vitest";
import { hasMoreValues } from "../../../src/rpc/json/count-values.ts";

test.each([
  ["7", 1],
  ['"a, [b, {c"', 1],
  ['"\\\\"', 1],
  ['"\\"," ', 1],
  ["[1, 2, 3]", 4],
  ['{"a": 1, "b,c": [2, "x\\\\\\",,"]}', 5],
  ["[[], {}]", 5],
])("%s has %d values", (text, count) => {
  expect(hasMoreValues(text, count)).toBe(false);
  if (count > 1) expect(hasMoreValues(text, count - 1)).toBe(true);
});

test("an unterminated string and a text of backslashes are read in linear time", () => {
  expect(hasMoreValues(`"${"\\".repeat(4_000_000)}`, 1)).toBe(false);
  expect(hasMoreValues(`"${'\\"'.repeat(2_000_000)}`, 1)).toBe(false);
});
