import { type JsonObject, toJson } from "@bufbuild/protobuf";
import type { Command } from "commander";
import {
  type Task,
  type TaskResult,
  TaskResultSchema,
  TaskSchema,
} from "../../../gen/signalman/v1/task_pb.ts";
import { parseTask } from "../input/names.ts";
import { resultOf } from "../result.ts";
import { withSession } from "../session.ts";
import { jsonLine } from "../terminal/json.ts";
import { print, write } from "../terminal/output.ts";

export function addGet(program: Command): void {
  program
    .command("get")
    .description("print all that is known of a task, and what it brought about, as YAML")
    .argument("<task>", "the task", parseTask)
    .action(
      withSession(async (session, name: string) => {
        const { task } = await session.call(({ tasks }, options) => tasks.getTask({ name }, options));
        if (!task) return 0;
        if (session.json) await print(jsonLine(TaskSchema, task));
        else await write(process.stdout, await yaml(task, await resultOf(session, name)));
        return 0;
      }),
    );
}

/** YAML quotes control characters: what others wrote cannot play with the terminal. */
async function yaml(task: Task, result: TaskResult | undefined): Promise<string> {
  const { stringify } = await import("yaml");
  const known = toJson(TaskSchema, task) as JsonObject;
  return stringify(result ? { ...known, result: toJson(TaskResultSchema, result) } : known, { lineWidth: 0 });
}
