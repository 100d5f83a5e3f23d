import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Task } from "../../../gen/signalman/v1/task_pb.ts";
import {
  type WatchTasksResponse,
  WatchTasksResponseSchema,
} from "../../../gen/signalman/v1/task_service_pb.ts";
import { shortName } from "../input/names.ts";
import { jsonLine } from "../terminal/json.ts";
import { print, say } from "../terminal/output.ts";
import { statusWord } from "../terminal/status.ts";
import { createBoard } from "./board.ts";
import type { TasksView } from "./view.ts";
import { cause } from "./words.ts";

/** Shows many tasks: a live table on a terminal, else one line for each change. */
export function createTasksView(
  isJson: boolean,
  stdout: NodeJS.WriteStream,
  stderr: NodeJS.WriteStream,
): TasksView {
  const isLive = !isJson && stdout.isTTY && stderr.isTTY && process.env.TERM !== "dumb";
  if (isLive) return createBoard(stdout);
  return {
    event: (event) => (isJson ? print(jsonLine(WatchTasksResponseSchema, event)) : printEvent(event)),
    broken: (why) => say(`the connection broke (${why}); trying again`),
    connected: () => say("connected again"),
    async [Symbol.asyncDispose]() {},
  };
}

/** Prints each change, and the tasks of the snapshot, which had not ended when the watch began. */
async function printEvent({ event }: WatchTasksResponse): Promise<void> {
  if (event.case === "snapshot" && event.value.task) await print(lineOf(event.value.task));
  if (event.case !== "change" || !event.value.task) return;
  const { change, task } = event.value;
  const time = change?.time ? `${timestampDate(change.time).toISOString()} ` : "";
  const why = change && cause(change);
  await print(`${time}${lineOf(task)}${why ? `: ${why}` : ""}`);
}

const lineOf = (task: Task) =>
  `${shortName(task.name)} ${shortName(task.template)} ${statusWord(task.status)}`;
