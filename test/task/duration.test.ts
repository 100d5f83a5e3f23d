import { expect, test } from "vitest";
import { durationMs } from "../../src/task/duration.ts";

test.each([
  ["90", 90_000],
  ["1.5", 1500],
  ["250ms", 250],
  ["90s", 90_000],
  ["5m", 300_000],
  ["1h30m", 5_400_000],
  ["1d12h", 129_600_000],
  ["0.5h", 1_800_000],
  ["0", 0],
])("%s is %d ms", (text, ms) => {
  expect(durationMs(text)).toBe(ms);
});

test.each(["", " ", "5 m", "-5s", "m", "5x", "1h30", "5M", "1e3", "s5", "Infinity"])(
  "%j is not a duration",
  (text) => {
    expect(() => durationMs(text)).toThrow(`must be a duration such as 90s, 5m or 1h30m, not ${text}`);
  },
);
