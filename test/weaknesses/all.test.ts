import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

/** Number of weaknesses of the reference in ARCHITECTURE.md. */
const COUNT = 25;

test("every weakness of the reference has a test with its number, or a reason in ARCHITECTURE.md", () => {
  const files = readdirSync("test", { recursive: true, encoding: "utf8" });
  const tests = files.filter((name) => name.endsWith(".test.ts"));
  const text = tests.map((name) => readFileSync(join("test", name), "utf8")).join("\n");
  const shown = numbersIn(text.matchAll(/"weakness(?:es)? ([\d, and]+):/g));
  const excused = numbersIn(readFileSync("ARCHITECTURE.md", "utf8").matchAll(/^- Weakness (\d+) /gm));
  const all = Array.from({ length: COUNT }, (_, i) => i + 1);
  expect([...new Set([...shown, ...excused])].sort((a, b) => a - b)).toEqual(all);
});

function numbersIn(matches: Iterable<RegExpMatchArray>): number[] {
  return [...matches].flatMap(([, numbers = ""]) => (numbers.match(/\d+/g) ?? []).map(Number));
}
