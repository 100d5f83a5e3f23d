import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, createClient } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { watchTask } from "../../src/client/watch.ts";
import { limitAge } from "../../src/http/stream-limits.ts";
import { essence, TRANSPORTS } from "./clients.ts";
import { startServer } from "./server.ts";

const EXPIRED = { code: Code.Unavailable, reason: "STREAM_EXPIRED", retryMs: 100 };
const BEHIND = { code: Code.Unavailable, reason: "STREAM_BEHIND", retryMs: 1000 };

/** Sends one event, then waits for the end of the call. */
async function* waitForEver(_: unknown, { signal }: { signal: AbortSignal }) {
  yield { resumeToken: "1" };
  await once(signal, "abort");
  throw signal.reason;
}

/** Sends large events until the call ends. */
async function* flood(_: unknown, { signal }: { signal: AbortSignal }) {
  const content = new Uint8Array(200_000);
  for (let i = 1; ; i++) {
    signal.throwIfAborted();
    const value = { firstSeq: BigInt(i), lines: [{ content }] };
    yield { resumeToken: String(i), event: { case: "log", value } } as const;
  }
}

const last = async (rest: AsyncIterator<unknown>) => {
  for (;;) {
    const next = await rest.next().catch((error: unknown) => ({ error }));
    if ("error" in next) return essence(next.error);
    if (next.done) return "no error";
  }
};

describe.each(Object.entries(TRANSPORTS))("over %s", (_, transport) => {
  test("a stream that has reached its greatest age ends with UNAVAILABLE and RetryInfo", async () => {
    await using server = await startServer({
      tasks: { watchTask: waitForEver },
      streamLimits: { maxAgeMs: 50 },
    });
    const stream = createClient(TaskService, transport(server.url)).watchTask({})[Symbol.asyncIterator]();
    expect((await stream.next()).value?.resumeToken).toBe("1");
    expect(await last(stream)).toEqual(EXPIRED);
  });

  test("a stream whose client does not read is cut, and tells that when it is read", async () => {
    await using server = await startServer({
      tasks: { watchTask: flood },
      streamLimits: { maxPendingMs: 100 },
    });
    const stream = createClient(TaskService, transport(server.url)).watchTask({})[Symbol.asyncIterator]();
    expect((await stream.next()).value?.resumeToken).toBe("1");
    await expect.poll(() => server.lines.some(({ code }) => code === "unavailable")).toBe(true);
    expect(await last(stream)).toEqual(BEHIND);
  });

  test("a stream that is read slowly, message by message, goes on", async () => {
    let sent = 0;
    await using server = await startServer({
      tasks: {
        async *watchTask(request, context) {
          for await (const event of flood(request, context)) {
            if (++sent > 30) return;
            yield event;
          }
        },
      },
      streamLimits: { maxPendingMs: 400 },
    });
    let received = 0;
    for await (const _ of createClient(TaskService, transport(server.url)).watchTask({})) {
      received++;
      await sleep(20);
    }
    expect(received).toBe(30);
  });
});

test("the client resumes an old stream by itself with the last token, and says that nothing is wrong", async () => {
  const asked: (string | undefined)[] = [];
  await using server = await startServer({
    tasks: {
      async *watchTask({ start }, { signal }) {
        const at = start.case === "resumeToken" ? Number(start.value) : 0;
        asked.push(start.value === undefined ? undefined : String(start.value));
        yield { resumeToken: String(at + 1), event: { case: "heartbeat", value: {} } };
        if (at === 2) yield { resumeToken: "end", event: { case: "end", value: {} } };
        else {
          await once(signal, "abort");
          throw signal.reason;
        }
      },
    },
    streamLimits: { maxAgeMs: 50 },
  });
  const routine: boolean[] = [];
  const client = createClient(TaskService, TRANSPORTS.gRPC(server.url));
  const events = watchTask(
    client,
    { name: "x" },
    { onReconnect: ({ isRoutine }) => routine.push(isRoutine) },
  );
  const tokens: string[] = [];
  for await (const { resumeToken } of events) tokens.push(resumeToken);
  expect(tokens.at(-1)).toBe("end");
  expect(asked.slice(0, 2)).toEqual([undefined, "1"]);
  expect(routine.length).toBeGreaterThan(0);
  expect(routine).not.toContain(false);
});

test("streams that were opened together end apart", async () => {
  const ended: number[] = [];
  const from = performance.now();
  const limits = { maxAgeMs: 500, maxPendingMs: 1000 };
  const all = Array.from({ length: 50 }, () =>
    limitAge({ end: () => void ended.push(performance.now()) }, limits),
  );
  await expect.poll(() => ended.length).toBe(all.length);
  expect((ended.at(-1) ?? 0) - (ended[0] ?? 0)).toBeGreaterThan(30);
  expect((ended[0] ?? 0) - from).toBeGreaterThanOrEqual(399);
});
