import { expect, test } from "vitest";
import { remember } from "../../src/async/remember.ts";

test("an answer is read once, and forgotten when newer ones take its place", async () => {
  const reads: string[] = [];
  const ask = remember(2, String, async (name: string) => {
    reads.push(name);
    return name.toUpperCase();
  });
  for (const name of ["a", "a", "b", "c", "a"]) expect(await ask(name)).toBe(name.toUpperCase());
  expect(reads).toEqual(["a", "b", "c", "a"]);
});

test("that there is no answer is not remembered", async () => {
  let answer: string | undefined;
  const ask = remember(2, String, async () => answer);
  expect(await ask("a")).toBeUndefined();
  answer = "x";
  expect(await ask("a")).toBe("x");
});
