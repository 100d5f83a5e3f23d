import type { TaskResult } from "../../../gen/signalman/v1/task_pb.ts";
import type { WatchTaskResponse, WatchTasksResponse } from "../../../gen/signalman/v1/task_service_pb.ts";

/** Where a watch is shown. */
export interface View extends AsyncDisposable {
  /**
   * Resolves when it has been taken, at the pace of whoever reads. `result`: with the end, what the task brought about.
   * @throws the sink's error, such as EPIPE
   */
  event(event: WatchTaskResponse, result?: TaskResult): Promise<void>;
  /** A line of our own, on stderr. */
  note(text: string): void;
}

/** Where a watch of many tasks is shown. */
export interface TasksView extends AsyncDisposable {
  /** Resolves when it has been taken, at the pace of whoever reads. @throws the sink's error, such as EPIPE */
  event(event: WatchTasksResponse): Promise<void>;
  broken(why: string): void;
  connected(): void;
}
