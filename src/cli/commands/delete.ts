import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { DeleteTaskRequestSchema } from "../../../gen/signalman/v1/task_service_pb.ts";
import { forEachName } from "../each.ts";
import { parseTask, shortName } from "../input/names.ts";
import { withSession } from "../session.ts";
import { jsonLine } from "../terminal/json.ts";
import { print } from "../terminal/output.ts";

export function addDelete(program: Command): void {
  program
    .command("delete")
    .description("delete tasks that have ended, with their logs")
    .argument("<task...>", "the tasks", (text: string, before: string[] = []) => [...before, parseTask(text)])
    .action(
      withSession(async (session, names: string[]) => {
        return forEachName(names, async (name) => {
          await session.call(({ tasks }, options) => tasks.deleteTask({ name }, options));
          await print(
            session.json
              ? jsonLine(DeleteTaskRequestSchema, create(DeleteTaskRequestSchema, { name }))
              : `${shortName(name)} deleted`,
          );
        });
      }),
    );
}
