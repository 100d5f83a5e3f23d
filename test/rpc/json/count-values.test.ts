import { expect, test } from "vitest";
import { ValueCounter } from "../../../src/rpc/json/count-values.ts";

/** Count of a text that comes in pieces of `size` bytes. */
function countOf(text: string, size: number): number {
  const bytes = Buffer.from(text);
  const counter = new ValueCounter();
  for (let at = 0; at < bytes.length; at += size) counter.add(bytes.subarray(at, at + size));
  return counter.count;
}

test.each([
  ["7", 1],
  ['"a, [b, {c"', 1],
  ['"\\\\"', 1],
  ['"\\"," ', 1],
  ["[1, 2, 3]", 4],
  ['{"a": 1, "b,c": [2, "x\\\\\\",,"]}', 5],
  ['["ä,", "🚀,"]', 3],
  ["[[], {}]", 5],
])("%s has %d values, in pieces of any size", (text, count) => {
  for (const size of [1, 2, 3, 1000]) expect(countOf(text, size)).toBe(count);
});

test("an unterminated string and a text of backslashes are read in linear time", () => {
  expect(countOf(`"${"\\".repeat(4_000_000)}`, 65_536)).toBe(1);
  expect(countOf(`"${'\\"'.repeat(2_000_000)}`, 65_536)).toBe(1);
});

test("more than 10,000 are refused", () => {
  const counter = new ValueCounter();
  counter.add(Buffer.from(`[${"0,".repeat(9998)}0`));
  counter.assertFew();
  counter.add(Buffer.from(",0"));
  expect(() => counter.assertFew()).toThrow("at most 10000");
});
