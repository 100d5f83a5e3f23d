import { expect, test } from "vitest";
import { sayProgress } from "../../src/git/progress.ts";

const LINES = [
  "remote: Enumerating objects: 5",
  "Receiving objects:  42% (3/7), 1.2 MiB ",
  "Resolving deltas: 100% (1/1)",
];

function saidOf(everyMs: number): string[] {
  const said: string[] = [];
  const progress = sayProgress("Fetching X", (text) => void said.push(text), everyMs);
  for (const line of LINES) progress(line);
  return said;
}

test("progress is reported with its percentage", () => {
  expect(saidOf(0)).toEqual([
    "Fetching X: Receiving objects:  42% (3/7), 1.2 MiB",
    "Fetching X: Resolving deltas: 100% (1/1)",
  ]);
});

test("progress is not reported before the interval has passed", () => {
  expect(saidOf(3_600_000)).toEqual([]);
});
