import { type JsonValue, toJson } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { TaskSchema } from "../../../gen/signalman/v1/task_pb.ts";
import { parseTask } from "../input/names.ts";
import { resultOf } from "../result.ts";
import { withSession } from "../session.ts";
import { stringify, withResult } from "../terminal/json.ts";
import { print, write } from "../terminal/output.ts";
import { yamlText } from "../terminal/yaml.ts";

export function addGet(program: Command): void {
  program
    .command("get")
    .description("print a task with its settings, status and result, as YAML")
    .argument("<task>", "the task", parseTask)
    .action(
      withSession(async (session, name: string) => {
        const { task } = await session.call(({ tasks }, options) => tasks.getTask({ name }, options));
        if (!task) return 0;
        const told = withResult(toJson(TaskSchema, task), await resultOf(session, name));
        if (session.json) await print(stringify(told));
        else await write(process.stdout, await yaml(told));
        return 0;
      }),
    );
}

async function yaml(told: JsonValue): Promise<string> {
  const { Document } = await import("yaml");
  return yamlText(new Document(told));
}
