import type { Command } from "commander";
import { follow } from "../follow.ts";
import { parseTask } from "../input/names.ts";
import { parseWhole } from "../input/values.ts";
import { withSession } from "../session.ts";

export function addWatch(program: Command): void {
  program
    .command("watch")
    .description("show a task live, from its first line to its end")
    .argument("<task>", "the task", parseTask)
    .option("--tail <n>", "begin with the last lines", parseWhole(0, 1_000_000))
    .action(
      withSession(async (session, name: string, { tail }: { tail?: number }) => {
        // The watch itself would try for ever; whoever names a wrong server wants to know.
        const { task } = await session.call(({ tasks }, options) => tasks.getTask({ name }, options));
        return follow(session, task?.name ?? name, tail);
      }),
    );
}
