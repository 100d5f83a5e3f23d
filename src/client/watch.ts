import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import type {
  TaskService,
  WatchTaskRequestSchema,
  WatchTaskResponse,
} from "../../gen/signalman/v1/task_service_pb.ts";
import { countTrouble, openStream, type ReconnectOptions } from "./reconnect.ts";

export interface WatchOptions extends ReconnectOptions {
  /** Also yields the snapshot that each new stream begins with. Default: only the first one. */
  repeatSnapshots?: boolean;
}

type Tasks = Pick<Client<typeof TaskService>, "watchTask">;
type Request = MessageInitShape<typeof WatchTaskRequestSchema>;

/**
 * Yields all events of a task up to its end (or, with `follow: false`, up to now), each once and in order. A stream that
 * breaks, falls silent or closes without an `end` is opened again after the last event.
 * @throws ConnectError for errors that a retry would get again, such as NOT_FOUND
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
    const open = (signal: AbortSignal) => tasks.watchTask(resume(request, token), { signal });
    try {
      for await (const event of openStream(open, request.heartbeatInterval, options)) {
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

function resume(request: Request, token: string | undefined): Request {
  return token === undefined ? request : { ...request, start: { case: "resumeToken", value: token } };
}
