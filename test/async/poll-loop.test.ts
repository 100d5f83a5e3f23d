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
  /** Ends the newest run. */
  const end = async (error?: Error) => {
    if (error) rounds.at(-1)?.reject(error);
    else rounds.at(-1)?.resolve();
    await vi.advanceTimersByTimeAsync(0);
  };
  return { loop, rounds, end, logged };
}

test("no work runs before the start", () => {
  const { loop, rounds } = heldLoop();
  loop.wake();
  vi.advanceTimersByTime(5000);
  expect(rounds).toHaveLength(0);
});

test("the work runs at the start and after each interval", async () => {
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

test("a loop that is woken several times during a run runs once more after it", async () => {
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

test("wakeTogether runs the first request at once and all others within 20 ms together", async () => {
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

test("wake runs at once, also within the debounce time of wakeTogether", async () => {
  const { loop, rounds, end } = heldLoop();
  loop.start();
  await end();
  loop.wakeTogether();
  await end();
  loop.wakeTogether();
  loop.wake();
  expect(rounds).toHaveLength(3);
});

test("stop waits for the current run, and none follows", async () => {
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

test("a failure does not end the loop, and is logged once until the work succeeds again", async () => {
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
