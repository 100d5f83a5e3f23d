import { setTimeout as sleep } from "node:timers/promises";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { DurationSchema, durationMs } from "@bufbuild/protobuf/wkt";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import type {
  TaskService,
  WatchTaskRequestSchema,
  WatchTaskResponse,
} from "../../gen/signalman/v1/task_service_pb.ts";
import { guarded } from "./silence.ts";
import { mayPass, retryDelay } from "./trouble.ts";

export interface WatchOptions {
  /** Ends the watch: the generator throws the signal's reason. */
  signal?: AbortSignal;
  /** The stream broke and is opened again in `delayMs`; `attempt` counts from 1 since something last came through. */
  onReconnect?(broken: { error: ConnectError; attempt: number; delayMs: number }): void;
  /** Gives up, with the last error, when nothing has come through for this long. Default: never. */
  giveUpAfterMs?: number;
  /** Longest silence, in milliseconds, before the stream counts as broken. Default: 10 s more than the heartbeats' interval. */
  silenceMs?: number;
  /** Also yield the snapshots that each reconnection begins with. Default: the first one only. */
  repeatSnapshots?: boolean;
}

type Tasks = Pick<Client<typeof TaskService>, "watchTask">;
type Request = MessageInitShape<typeof WatchTaskRequestSchema>;

const DEFAULT_HEARTBEAT_MS = 15_000;
/** A heartbeat that is this late does not come. */
const LATENESS_MS = 10_000;

/**
 * All events of a task up to its end (or, with `follow: false`, up to now), each once and in order. A stream that breaks,
 * falls silent or closes without an `end` is opened again after the last event that came.
 * @throws ConnectError for what a repetition would not change, such as NOT_FOUND.
 */
export async function* watchTask(
  tasks: Tasks,
  request: Request,
  options: WatchOptions = {},
): AsyncGenerator<WatchTaskResponse> {
  let token: string | undefined;
  const trouble = countTrouble(options);
  for (;;) {
    let error: ConnectError;
    try {
      for await (const event of openStream(tasks, resume(request, token), options)) {
        if (event.resumeToken !== token) trouble.over();
        const isRepeated = event.event.case === "snapshot" && token !== undefined;
        token = event.resumeToken;
        if (!isRepeated || options.repeatSnapshots) yield event;
        if (event.event.case === "end") return;
      }
      if (request.follow === false) return;
      error = new ConnectError("the stream closed before the task's end", Code.Unavailable);
    } catch (thrown) {
      options.signal?.throwIfAborted();
      error = ConnectError.from(thrown);
    }
    await trouble.wait(error);
  }
}

function openStream(tasks: Tasks, request: Request, { signal, silenceMs }: WatchOptions) {
  const { heartbeatInterval } = request;
  const heartbeatMs = heartbeatInterval
    ? durationMs(create(DurationSchema, heartbeatInterval))
    : DEFAULT_HEARTBEAT_MS;
  const open = (inner: AbortSignal) => tasks.watchTask(request, { signal: inner });
  return guarded(open, silenceMs ?? heartbeatMs + LATENESS_MS, signal);
}

function resume(request: Request, token: string | undefined): Request {
  return token === undefined ? request : { ...request, start: { case: "resumeToken", value: token } };
}

/** What is between a break and the next event. */
function countTrouble({ signal, onReconnect, giveUpAfterMs = Number.POSITIVE_INFINITY }: WatchOptions) {
  let failures = 0;
  let since: number | undefined = performance.now();
  return {
    /** Something came through. */
    over(): void {
      failures = 0;
      since = undefined;
    },
    async wait(error: ConnectError): Promise<void> {
      since ??= performance.now();
      failures += 1;
      const delayMs = retryDelay(error, failures);
      if (!mayPass(error) || performance.now() + delayMs - since > giveUpAfterMs) throw error;
      onReconnect?.({ error, attempt: failures, delayMs });
      await sleep(delayMs, undefined, { signal }).catch(() => signal?.throwIfAborted());
    },
  };
}
