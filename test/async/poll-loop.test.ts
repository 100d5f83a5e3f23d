import { pino } from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startLoop } from "../../src/async/poll-loop.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A loop whose work ends when the test says so. */
function heldLoop() {
  const logged: string[] = [];
  const logger = pino({}, { write: (line: string) => void logged.push(JSON.parse(line).msg) });
  const rounds: PromiseWithResolvers<void>[] = [];
  const loop = startLoop({ everyMs: 1000, name: "chore", logger }, () => {
    const round = Promise.withResolvers<void>();
    rounds.push(round);
    return round.promise;
  });
  /** Ends the newest round. */
  const end = async (error?: Error) => {
    if (error) rounds.at(-1)?.reject(error);
    else rounds.at(-1)?.resolve();
    await vi.advanceTimersByTimeAsync(0);
  };
  return { loop, rounds, end, logged };
}

test("nothing is done before it is started", () => {
  const { loop, rounds } = heldLoop();
  loop.wake();
  vi.advanceTimersByTime(5000);
  expect(rounds).toHaveLength(0);
});

test("the work is done at once, and again whenever its time has come", async () => {
  const { loop, rounds, end } = heldLoop();
  loop.start();
  loop.start();
  expect(rounds).toHaveLength(1);
  await end();
  await vi.advanceTimersByTimeAsync(999);
  expect(rounds).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(rounds).toHaveLength(2);
});

test("work that is under way is never done twice at once; however often it is woken, it is done once more", async () => {
  const { loop, rounds, end } = heldLoop();
  loop.start();
  for (let i = 0; i < 5; i++) loop.wake();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(rounds).toHaveLength(1);
  await end();
  expect(rounds).toHaveLength(2);
  await end();
  expect(rounds).toHaveLength(2);
});

test("calls within a moment are two rounds: the first at once, the others together after it", async () => {
  const { loop, rounds, end } = heldLoop();
  loop.start();
  await end();
  for (let i = 0; i < 5; i++) loop.wakeTogether();
  expect(rounds).toHaveLength(2);
  await end();
  await vi.advanceTimersByTimeAsync(19);
  expect(rounds).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(1);
  expect(rounds).toHaveLength(3);
  await end();
  await vi.advanceTimersByTimeAsync(500);
  expect(rounds).toHaveLength(3);
});

test("nobody has to wait for others to come together: a wake is heard at once", async () => {
  const { loop, rounds, end } = heldLoop();
  loop.start();
  await end();
  loop.wakeTogether();
  await end();
  loop.wakeTogether();
  loop.wake();
  expect(rounds).toHaveLength(3);
});

test("stop waits for the work that is under way, and none follows", async () => {
  const { loop, rounds, end } = heldLoop();
  loop.start();
  loop.wake();
  let stopped = false;
  const stopping = loop.stop().then(() => {
    stopped = true;
  });
  await vi.advanceTimersByTimeAsync(0);
  expect(stopped).toBe(false);
  await end();
  await stopping;
  loop.wake();
  await vi.advanceTimersByTimeAsync(5000);
  expect(rounds).toHaveLength(1);
});

test("a failure ends nothing, and is logged once until the work succeeds again", async () => {
  const { loop, rounds, end, logged } = heldLoop();
  loop.start();
  for (let i = 0; i < 3; i++) {
    await end(new Error("database away"));
    await vi.advanceTimersByTimeAsync(1000);
  }
  expect(rounds).toHaveLength(4);
  expect(logged).toEqual(["chore: database away"]);
  await end();
  expect(logged).toEqual(["chore: database away", "chore: works again"]);
  await vi.advanceTimersByTimeAsync(1000);
  await end(new Error("away again"));
  expect(logged.at(-1)).toBe("chore: away again");
});
