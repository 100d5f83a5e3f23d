import type { TaskResult } from "../../../gen/signalman/v1/task_pb.ts";
import type { WatchTaskResponse, WatchTasksResponse } from "../../../gen/signalman/v1/task_service_pb.ts";

/** Shows the watch of one task. */
export interface View extends AsyncDisposable {
  /**
   * Resolves when the stream has taken the event, so that the watch is as slow as its reader. `result`: result of the task,
   * with an `end`. @throws the stream's error, such as EPIPE
   */
  event(event: WatchTaskResponse, result?: TaskResult): Promise<void>;
  /** Shows a message of the command line on stderr. */
  note(text: string): void;
}

/** Shows the watch of many tasks. */
export interface TasksView extends AsyncDisposable {
  /** Resolves when the stream has taken the event. @throws the stream's error, such as EPIPE */
  event(event: WatchTasksResponse): Promise<void>;
  broken(why: string): void;
  connected(): void;
}
