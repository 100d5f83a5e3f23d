import { type Client, Code, ConnectError } from "@connectrpc/connect";
import {
  EndReasonSchema,
  LogStream,
  type Task,
  type TaskStatus,
  TaskStatusSchema,
} from "../../gen/signalman/v1/task_pb.ts";
import { TaskService, type WatchTaskResponse } from "../../gen/signalman/v1/task_service_pb.ts";
import type { TestService } from "../support/service.ts";

/** How a task ended, in words. */
export function endOf({ status, end }: Task) {
  const reason = end && EndReasonSchema.value[end.reason]?.localName;
  return {
    status: statusName(status),
    reason,
    exitCode: end?.exitCode,
    signal: end?.signal,
    message: end?.message,
  };
}

export const statusName = (status: TaskStatus) => TaskStatusSchema.value[status]?.localName ?? "";

const NEWLINE = Buffer.from("\n");
/** Error codes of a server that shuts down, has ended, or has just been started. */
export const BREAKS: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.Aborted,
  Code.Canceled,
  Code.Internal,
]);
const RETRY_MS = 50;

/** A watcher that resumes with its token whenever its stream breaks. */
export interface Follower extends Disposable {
  /** Statuses in the order of their events. */
  readonly statuses: string[];
  readonly breaks: Code[];
  readonly lines: number;
  /** The bytes of a stream so far, as the program wrote them. */
  bytes(stream: LogStream): Buffer;
  text(stream?: LogStream): string;
  /** Resolves once the stream's text matches. */
  says(what: string | RegExp, stream?: LogStream): Promise<void>;
  reaches(status: string): Promise<void>;
  /** Resolves once there are so many lines. */
  counts(lines: number): Promise<void>;
  /** The task at its end; rejects if a line came twice, was missing, or the watch failed. */
  readonly ended: Promise<Task>;
}

/** Follows a task from its first event to its end, over as many streams as that takes. */
export function follow(service: Pick<TestService, "client">, name: string): Follower {
  const state = new Seen();
  const over = new AbortController();
  const ended = run(service.client(TaskService), name, state, over.signal);
  ended.catch(() => {});
  const until = (condition: () => boolean) =>
    Promise.race([state.until(condition), ended.then(() => assertTrue(condition()))]);
  const matches = (what: string | RegExp, text: string) =>
    typeof what === "string" ? text.includes(what) : what.test(text);
  const text = (stream: LogStream = LogStream.STDOUT) => state.bytes(stream).toString("latin1");
  return {
    statuses: state.statuses,
    breaks: state.breaks,
    get lines() {
      return state.seq;
    },
    bytes: (stream) => state.bytes(stream),
    text,
    says: (what, stream) => until(() => matches(what, text(stream))),
    reaches: (status) => until(() => state.statuses.includes(status)),
    counts: (lines) => until(() => state.seq >= lines),
    ended,
    [Symbol.dispose]: () => over.abort(),
  };
}

function assertTrue(value: boolean): void {
  if (!value) throw new Error("The task ended before what was waited for");
}

/** Checks and returns the received lines: every line once, in order. */
class Seen {
  readonly statuses: string[] = [];
  readonly breaks: Code[] = [];
  seq = 0;
  token = "";
  end: Task | undefined;
  readonly #pieces = new Map<LogStream, Buffer[]>();
  readonly #waiting = new Set<() => void>();

  take({ event, resumeToken }: WatchTaskResponse): void {
    if (event.case === "log") for (const line of event.value.lines) this.#line(line);
    if (event.case === "status") this.statuses.push(statusName(event.value.status));
    if (event.case === "gap") throw new Error(`A gap from ${event.value.fromSeq} to ${event.value.toSeq}`);
    if (event.case === "end") this.end = event.value.task;
    this.token = resumeToken;
    for (const look of [...this.#waiting]) look();
  }

  #line(line: { seq: bigint; stream: LogStream; content: Uint8Array; partial: boolean }): void {
    if (line.seq !== BigInt(this.seq + 1)) throw new Error(`Line ${line.seq} came after line ${this.seq}`);
    this.seq++;
    const pieces = this.#pieces.get(line.stream) ?? [];
    this.#pieces.set(line.stream, pieces);
    pieces.push(Buffer.from(line.content));
    if (!line.partial) pieces.push(NEWLINE);
  }

  bytes(stream: LogStream): Buffer {
    const whole = Buffer.concat(this.#pieces.get(stream) ?? []);
    this.#pieces.set(stream, [whole]);
    return whole;
  }

  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!condition()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }
}

async function run(
  client: Client<typeof TaskService>,
  name: string,
  state: Seen,
  signal: AbortSignal,
): Promise<Task> {
  for (;;) {
    const start = state.token
      ? ({ case: "resumeToken", value: state.token } as const)
      : { case: undefined, value: undefined };
    try {
      for await (const event of client.watchTask({ name, start }, { signal })) state.take(event);
    } catch (error) {
      if (!(error instanceof ConnectError && BREAKS.has(error.code)) || signal.aborted) throw error;
      state.breaks.push(error.code);
    }
    if (state.end) return state.end;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
