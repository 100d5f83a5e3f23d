import type { Command } from "commander";
import { follow } from "../follow.ts";
import { parseTask } from "../input/names.ts";
import { parseWhole } from "../input/values.ts";
import { withSession } from "../session.ts";
import { addOutputOptions, type OutputOptions } from "../terminal/task-output.ts";

export function addWatch(program: Command): void {
  const command = program.command("watch");
  addOutputOptions(command)
    .description("show a task live, from its first line to its end")
    .argument("<task>", "the task", parseTask)
    .option("--tail <n>", "begin with the last n lines", parseWhole(0, 1_000_000))
    .action(
      withSession(async (session, name: string, options: OutputOptions & { tail?: number }) => {
        // Called first, since it fails after 10 s without a server, while a watch would retry for ever.
        const { task } = await session.call(({ tasks }, call) => tasks.getTask({ name }, call));
        return follow(session, task?.name ?? name, options);
      }),
    );
}
