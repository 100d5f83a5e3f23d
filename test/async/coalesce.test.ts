import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { coalesce } from "../../src/async/coalesce.ts";

/** A reader that answers when it is told to, and says what it was asked. */
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

test("those who ask for the same in one turn share a read, others have their own", async () => {
  const { read, asked, answers } = slowReader();
  const results = [read("a", 1), read("a", 1), read("a", 2), read("b", 1), read("a", 1)];
  await turn();
  expect(asked).toEqual(["a 1", "a 2", "b 1"]);
  for (const [i, answer] of answers.entries()) answer.resolve(`answer ${i}`);
  expect(await Promise.all(results)).toEqual(["answer 0", "answer 0", "answer 1", "answer 2", "answer 0"]);
});

test("a read that has begun is not joined: what the caller has heard of may be newer", async () => {
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

test("all who share a read hear of its failure, and the next one is asked anew", async () => {
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
