import type { Command } from "commander";
import { parseTask, shortName } from "../names.ts";
import { print } from "../output.ts";
import { withSession } from "../session.ts";

export function addDelete(program: Command): void {
  program
    .command("delete")
    .description("delete tasks that have ended, with their logs")
    .argument("<task...>", "the tasks", (text: string, before: string[] = []) => [...before, parseTask(text)])
    .action(
      withSession(async (session, names: string[]) => {
        for (const name of names) {
          await session.call(({ tasks }, options) => tasks.deleteTask({ name }, options));
          if (!session.json) await print(`${shortName(name)} deleted`);
        }
        return 0;
      }),
    );
}
