import { create } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  createClient,
  createRouterTransport,
  type HandlerContext,
} from "@connectrpc/connect";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import {
  TaskService,
  type WatchTaskRequest,
  type WatchTaskResponse,
  WatchTaskResponseSchema,
} from "../../gen/signalman/v1/task_service_pb.ts";
import { type WatchOptions, watchTask } from "../../src/client/watch.ts";

type Part = WatchTaskResponse | ConnectError | "hang";

const event = (resumeToken: string, kind: "snapshot" | "heartbeat" | "end") =>
  create(WatchTaskResponseSchema, { resumeToken, event: { case: kind, value: {} } });

/** A service whose n-th stream sends the n-th script: events, an error, or silence until the caller leaves. */
function scripted(...scripts: Part[][]) {
  const requests: WatchTaskRequest[] = [];
  const left: AbortSignal[] = [];
  async function* watch(request: WatchTaskRequest, { signal }: HandlerContext) {
    requests.push(request);
    left.push(signal);
    for (const part of scripts[requests.length - 1] ?? []) {
      if (part instanceof ConnectError) throw part;
      if (part === "hang")
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      else yield part;
    }
  }
  const transport = createRouterTransport((router) => router.service(TaskService, { watchTask: watch }));
  return { client: createClient(TaskService, transport), requests, left };
}

const broken = (code = Code.Unavailable) => new ConnectError("broken", code);

async function drain(service: ReturnType<typeof scripted>, options: WatchOptions = {}, request = {}) {
  const tokens: string[] = [];
  const breaks: { code: Code; attempt: number; delayMs: number }[] = [];
  const onReconnect: WatchOptions["onReconnect"] = ({ error, attempt, delayMs }) =>
    breaks.push({ code: error.code, attempt, delayMs });
  try {
    for await (const { resumeToken } of watchTask(
      service.client,
      { name: "x", ...request },
      { onReconnect, ...options },
    )) {
      tokens.push(resumeToken);
    }
  } catch (error) {
    return { tokens, breaks, error: error as ConnectError };
  }
  return { tokens, breaks };
}

describe("watchTask", () => {
  test("goes on after the last event, and does not repeat the snapshot", async () => {
    const service = scripted(
      [event("a", "snapshot"), event("b", "heartbeat"), broken()],
      [event("b", "snapshot"), event("c", "heartbeat")],
      [event("c", "snapshot"), event("d", "end")],
    );
    const { tokens, breaks, error } = await drain(
      service,
      {},
      { start: { case: "tailLines", value: 5 }, logs: false },
    );
    expect({ tokens, error }).toEqual({ tokens: ["a", "b", "c", "d"], error: undefined });
    expect(breaks.map(({ attempt }) => attempt)).toEqual([1, 1]);
    expect(service.requests.map(({ start }) => start.value)).toEqual([5, "b", "c"]);
    expect(service.requests.map(({ logs }) => logs)).toEqual([false, false, false]);
  });

  test("yields repeated snapshots on demand", async () => {
    const service = scripted([event("a", "snapshot"), broken()], [event("a", "snapshot"), event("b", "end")]);
    expect((await drain(service, { repeatSnapshots: true })).tokens).toEqual(["a", "a", "b"]);
  });

  test("waits longer each time that nothing new came through", async () => {
    const stuck = [event("a", "snapshot"), broken(Code.Internal)];
    const service = scripted(stuck, stuck, stuck, [event("a", "snapshot"), event("b", "end")]);
    const { breaks } = await drain(service);
    expect(breaks.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    const [first = 0, second = 0, third = 0] = breaks.map(({ delayMs }) => delayMs);
    expect(first).toBeGreaterThanOrEqual(100);
    expect(second).toBeGreaterThan(first);
    expect(third).toBeGreaterThan(second);
  });

  test("waits as long as RetryInfo of the service says", async () => {
    const detail = { desc: RetryInfoSchema, value: { retryDelay: { seconds: 0n, nanos: 300_000_000 } } };
    const error = new ConnectError("shutting down", Code.Unavailable, undefined, [detail]);
    const { breaks } = await drain(scripted([event("a", "snapshot"), error], [event("b", "end")]));
    expect(breaks[0]?.delayMs).toBeGreaterThanOrEqual(300);
    expect(breaks[0]?.delayMs).toBeLessThan(400);
  });

  test.each([
    Code.NotFound,
    Code.InvalidArgument,
    Code.Unauthenticated,
    Code.PermissionDenied,
    Code.Unimplemented,
  ])("does not try again after %s", async (code) => {
    const service = scripted([event("a", "snapshot"), broken(code)]);
    const { tokens, error } = await drain(service);
    expect({ tokens, code: error?.code, calls: service.requests.length }).toEqual({
      tokens: ["a"],
      code,
      calls: 1,
    });
  });

  test("leaves a stream that is silent for too long", async () => {
    const service = scripted([event("a", "snapshot"), "hang"], [event("a", "snapshot"), event("b", "end")]);
    const { tokens, breaks } = await drain(service, { silenceMs: 200 });
    expect(tokens).toEqual(["a", "b"]);
    expect(breaks).toMatchObject([{ code: Code.Unavailable }]);
    expect(service.left[0]?.aborted).toBe(true);
  });

  test("does not count the time that its reader takes as silence", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const service = scripted([event("a", "snapshot"), event("b", "heartbeat"), event("c", "end")]);
    const tokens: string[] = [];
    const onReconnect = () => tokens.push("broken");
    const options = { silenceMs: 50, onReconnect };
    for await (const { resumeToken } of watchTask(service.client, { name: "x" }, options)) {
      tokens.push(resumeToken);
      await vi.advanceTimersByTimeAsync(120);
    }
    expect(tokens).toEqual(["a", "b", "c"]);
  });

  test("ends by its signal, also while it waits for a reconnection", async () => {
    const stop = new AbortController();
    const reason = new Error("enough");
    const onReconnect = () => stop.abort(reason);
    const { tokens, error } = await drain(scripted([event("a", "snapshot"), broken()]), {
      signal: stop.signal,
      onReconnect,
    });
    expect({ tokens, error }).toEqual({ tokens: ["a"], error: reason });
  });

  test("ends by its signal while it waits for an event", async () => {
    const stop = new AbortController();
    const service = scripted([event("a", "snapshot"), "hang"]);
    const watch = watchTask(service.client, { name: "x" }, { signal: stop.signal });
    expect((await watch.next()).value?.resumeToken).toBe("a");
    const next = watch.next();
    stop.abort(new Error("enough"));
    await expect(next).rejects.toThrow("enough");
  });

  test("gives up after a while on demand", async () => {
    const { error } = await drain(scripted([event("a", "snapshot")]), { giveUpAfterMs: 250 });
    expect(error?.code).toBe(Code.Unavailable);
  });

  test("cancels the stream when the reader leaves", async () => {
    const service = scripted([event("a", "snapshot"), "hang"]);
    for await (const _ of watchTask(service.client, { name: "x" })) break;
    expect(service.left[0]?.aborted).toBe(true);
  });

  test("without follow ends when the service ends the stream", async () => {
    const { tokens, breaks } = await drain(
      scripted([event("a", "snapshot"), event("b", "heartbeat")]),
      {},
      { follow: false },
    );
    expect({ tokens, breaks }).toEqual({ tokens: ["a", "b"], breaks: [] });
  });
});
