import { once } from "node:events";
import type { TestService } from "../support/service.ts";

/**
 * Reads the server's own view of its memory, over the protocol of Node's debugger: start it with `--inspect=127.0.0.1:0`.
 */
export interface Inspector extends Disposable {
  /**
   * Returns the reachable bytes, after so many garbage collections that another one frees nothing (finalizers free more).
   */
  heapUsed(): Promise<number>;
  /** Calls back with each piece of a heap snapshot, which Chromium's DevTools can compare. */
  snapshot(take: (piece: string) => void): Promise<void>;
}

const USED = "(({ heapUsed, external }) => heapUsed + external)(process.memoryUsage())";

interface Answer {
  id?: number;
  method?: string;
  params?: { chunk?: string };
  result?: { result?: { value?: unknown } };
  error?: { message: string };
}

export async function inspect(service: TestService): Promise<Inspector> {
  const url = /Debugger listening on (ws:\S+)/.exec(service.log())?.[1];
  if (!url) throw new Error("The server was started without --inspect");
  const socket = new WebSocket(url);
  await once(socket, "open");
  const waiting = new Map<number, (answer: Answer) => void>();
  let take: (piece: string) => void = () => {};
  socket.addEventListener("message", ({ data }) => {
    const answer = JSON.parse(String(data)) as Answer;
    if (answer.method === "HeapProfiler.addHeapSnapshotChunk") take(answer.params?.chunk ?? "");
    if (answer.id !== undefined) waiting.get(answer.id)?.(answer);
  });
  let last = 0;
  const call = async (method: string, params: object = {}) => {
    const id = ++last;
    const answered = new Promise<Answer>((resolve) => waiting.set(id, resolve));
    socket.send(JSON.stringify({ id, method, params }));
    const { error, result } = await answered;
    waiting.delete(id);
    if (error) throw new Error(`${method}: ${error.message}`);
    return result?.result?.value;
  };
  return {
    async heapUsed() {
      for (let before = Number.POSITIVE_INFINITY; ; ) {
        await call("HeapProfiler.collectGarbage");
        const now = Number(await call("Runtime.evaluate", { expression: USED }));
        if (now > before * 0.999) return Math.min(now, before);
        before = now;
      }
    },
    async snapshot(to) {
      take = to;
      await call("HeapProfiler.takeHeapSnapshot");
    },
    [Symbol.dispose]: () => socket.close(),
  };
}
