import { once } from "node:events";
import http2 from "node:http2";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { startServer } from "./server.ts";

const PROTOCOLS = [
  ["application/grpc", "grpc-timeout", "0m", "99999999H"],
  ["application/grpc-web", "grpc-timeout", "0n", "99999999M"],
  ["application/connect+proto", "connect-timeout-ms", "0", "9999999999"],
] as const;

function open(url: string, method: string, headers: http2.OutgoingHttpHeaders): http2.ClientHttp2Stream {
  const session = http2.connect(url);
  onTestFinished(() => session.destroy());
  const path = `/signalman.v1.TaskService/${method}`;
  return session.request({ ":method": "POST", ":path": path, te: "trailers", ...headers });
}

test.each(PROTOCOLS)(
  "a deadline beyond Node's longest timer does not end the call: %s",
  async (type, header, _, long) => {
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on("warning", note);
    onTestFinished(() => void process.off("warning", note));
    async function* watchTask(_: unknown, { signal }: { signal: AbortSignal }) {
      yield { resumeToken: "first" };
      // A timer that overflows fires within a millisecond.
      await new Promise((resolve) => setTimeout(resolve, 20));
      yield { resumeToken: signal.aborted ? "aborted" : "second" };
    }
    await using server = await startServer({ tasks: { watchTask } });
    const stream = open(server.url, "WatchTask", { "content-type": type, [header]: long });
    stream.end(Buffer.alloc(5));
    expect(await text(stream)).toMatch(/first.*second/s);
    expect(warnings).toEqual([]);
  },
);

test.each([...PROTOCOLS, ["application/json", "connect-timeout-ms", "0", ""] as const])(
  "a call whose deadline is over does no work: %s",
  async (type, header, none) => {
    let runs = 0;
    const runTask = () => {
      runs++;
      return {};
    };
    async function* watchTask() {
      runs++;
      yield {};
    }
    await using server = await startServer({ tasks: { runTask, watchTask } });
    const method = type.includes("connect") ? "WatchTask" : "RunTask";
    const stream = open(server.url, method, { "content-type": type, [header]: none });
    stream.end(type === "application/json" ? "{}" : Buffer.alloc(5));
    await once(stream, "response");
    stream.resume();
    await once(stream, "end");
    expect(server.lines).toEqual([expect.objectContaining({ level: 30, code: "deadline_exceeded" })]);
    expect(runs).toBe(0);
  },
);
