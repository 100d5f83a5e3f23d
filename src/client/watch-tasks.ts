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
 * What has not ended, `synced`, then all changes of many tasks, each once, without an end. A stream that breaks, falls
 * silent or closes is opened again after the last token that came. One that breaks before `synced` begins anew, after
 * `onReconnect`: then what came of the snapshot so far is void.
 * @throws ConnectError for what a repetition would not change, such as NOT_FOUND.
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
        // The first one may only say that the stream was opened.
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
