import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  TaskTransitionSchema,
  type WatchTasksResponse,
  WatchTasksResponseSchema,
} from "../../../gen/signalman/v1/task_service_pb.ts";
import type { Change } from "../../live/changes.ts";
import type { PlacedEvent } from "../../store/tasks/events.ts";
import type { TaskView } from "../../store/tasks/tasks.ts";
import { isFinal, type Status } from "../../task/status.ts";
import { encodedField } from "./encoded-field.ts";
import { statusMessage, taskMessage } from "./messages.ts";

type Event = MessageInitShape<typeof WatchTasksResponseSchema>["event"];

/** Creates the responses of one WatchTasks stream. */
export interface TasksEventMaker {
  event(resumeToken: string, event: Event): WatchTasksResponse;
  change(resumeToken: string, change: Change): WatchTasksResponse;
  /** Number of responses created so far. */
  readonly made: number;
}

const CHANGE_FIELD = WatchTasksResponseSchema.field.change.number;

/** Returns an event maker. For JSON it decodes changes, since JSON omits fields that are passed on encoded. */
export function createTasksEventMaker(isJson: boolean): TasksEventMaker {
  let made = 0;
  const event = (resumeToken: string, value: Event) => {
    made++;
    return create(WatchTasksResponseSchema, { resumeToken, event: value });
  };
  return {
    event,
    change(resumeToken, { data }) {
      if (isJson)
        return event(resumeToken, { case: "change", value: fromBinary(TaskTransitionSchema, data) });
      const message = event(resumeToken, undefined);
      message.$unknown = encodedField(CHANGE_FIELD, data);
      return message;
    },
    get made() {
      return made;
    },
  };
}

/** Returns a stored transition in the encoded form that watchers share. */
export function changeOf({ position, event, task }: PlacedEvent): Change {
  const { project, template, labels } = task;
  const message = create(TaskTransitionSchema, {
    change: statusMessage(event, task),
    task: taskMessage(taskAt(task, event.status)),
  });
  return { position, project, template, labels, data: toBinary(TaskTransitionSchema, message) };
}

/** Returns a task with an earlier status, without its end unless the status is final. */
export function taskAt(task: TaskView, status: Status): TaskView {
  return isFinal(status) ? task : { ...task, status, endTime: null };
}
