import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { coalesce } from "../../src/async/coalesce.ts";

/** A reader that answers on request and records its calls. */
function slowReader() {
  const asked: string[] = [];
  const answers: PromiseWithResolvers<string>[] = [];
  const read = coalesce((id: string, after: number) => {
    asked.push(`${id} ${after}`);
    const answer = Promise.withResolvers<string>();
    answers.push(answer);
    return answer.promise;
  });
  return { read, asked, answers };
}

test("equal calls in one turn of the event loop share a read, others do not", async () => {
  const { read, asked, answers } = slowReader();
  const results = [read("a", 1), read("a", 1), read("a", 2), read("b", 1), read("a", 1)];
  await turn();
  expect(asked).toEqual(["a 1", "a 2", "b 1"]);
  for (const [i, answer] of answers.entries()) answer.resolve(`answer ${i}`);
  expect(await Promise.all(results)).toEqual(["answer 0", "answer 0", "answer 1", "answer 2", "answer 0"]);
});

test("a call does not join a read that has begun, since the change may be newer", async () => {
  const { read, asked, answers } = slowReader();
  const first = read("a", 1);
  await turn();
  const second = read("a", 1);
  await turn();
  expect(asked).toEqual(["a 1", "a 1"]);
  answers[1]?.resolve("new");
  answers[0]?.resolve("old");
  expect([await first, await second]).toEqual(["old", "new"]);
});

test("all callers of a shared read get its error, and the next call reads again", async () => {
  const { read, asked, answers } = slowReader();
  const shared = Promise.allSettled([read("a", 1), read("a", 1)]);
  await turn();
  answers[0]?.reject(new Error("gone"));
  expect((await shared).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  const again = read("a", 1);
  await turn();
  answers[1]?.resolve("back");
  expect(await again).toBe("back");
  expect(asked).toHaveLength(2);
});
