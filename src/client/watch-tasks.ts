import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import type {
  TaskService,
  WatchTasksRequestSchema,
  WatchTasksResponse,
} from "../../gen/signalman/v1/task_service_pb.ts";
import { countTrouble, openStream, type ReconnectOptions } from "./reconnect.ts";

type Tasks = Pick<Client<typeof TaskService>, "watchTasks">;
type Request = MessageInitShape<typeof WatchTasksRequestSchema>;

/**
 * Yields a snapshot of the tasks that have not ended, `synced`, and then every change, each once and without an end. A stream
 * that breaks, falls silent or closes is opened again after the last resume token. If it breaks before `synced`, the snapshot
 * starts again after `onReconnect`, and its events so far are void.
 * @throws ConnectError for errors that a retry would get again, such as NOT_FOUND
 */
export async function* watchTasks(
  tasks: Tasks,
  request: Request,
  options: ReconnectOptions = {},
): AsyncGenerator<WatchTasksResponse> {
  let { resumeToken = "" } = request;
  const trouble = countTrouble(options);
  for (;;) {
    let error: ConnectError;
    const open = (signal: AbortSignal) => tasks.watchTasks({ ...request, resumeToken }, { signal });
    try {
      let isFirst = true;
      for await (const event of openStream(open, request.heartbeatInterval, options)) {
        // The first event of a stream may only say that it was opened: without a new token it is no progress.
        if (!isFirst || (event.resumeToken || resumeToken) !== resumeToken) trouble.over();
        isFirst = false;
        resumeToken = event.resumeToken || resumeToken;
        yield event;
      }
      error = new ConnectError("the stream closed", Code.Unavailable);
    } catch (thrown) {
      options.signal?.throwIfAborted();
      error = ConnectError.from(thrown);
    }
    await trouble.wait(error);
  }
}
