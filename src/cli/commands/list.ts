import { type Command, Option } from "commander";
import { type Task, TaskSchema } from "../../../gen/signalman/v1/task_pb.ts";
import { followTasks } from "../follow-tasks.ts";
import { parseProject } from "../input/names.ts";
import { parseWhole } from "../input/values.ts";
import { pages } from "../pages.ts";
import { withSession } from "../session.ts";
import { jsonLine } from "../terminal/json.ts";
import { print } from "../terminal/output.ts";
import { terminalWidth } from "../terminal/table.ts";
import { taskTable } from "../terminal/task-table.ts";

interface ListOptions {
  filter?: string;
  order: string;
  limit: number;
  follow?: true;
}

export function addList(program: Command): void {
  program
    .command("list")
    .description("list tasks, the newest first unless --order is given")
    .argument("[project]", "project whose tasks to list; all projects unless given", parseProject)
    .option("--filter <filter>", 'such as: status = RUNNING AND template != "x" AND labels.team = web')
    .option(
      "--order <order>",
      "create_time, start_time or end_time; followed by desc: the latest first",
      "create_time desc",
    )
    .option("--limit <n>", "largest number of tasks to print", parseWhole(1, 1_000_000), 50)
    .addOption(
      new Option(
        "--follow",
        "print tasks that have not ended, then every change; --filter by template and labels only",
      ).conflicts(["order", "limit"]),
    )
    .action(
      withSession(async (session, project: string | undefined, options: ListOptions) => {
        const parent = project ?? "projects/-";
        if (options.follow) return followTasks(session, parent, options.filter);
        const tasks: Task[] = [];
        const request = { parent, filter: options.filter, orderBy: options.order };
        const read = (page: object) =>
          session.call(({ tasks }, call) => tasks.listTasks({ ...request, ...page }, call));
        for await (const task of pages(options.limit, read, (page) => page.tasks)) {
          if (session.json) await print(jsonLine(TaskSchema, task));
          else tasks.push(task);
        }
        const width = terminalWidth();
        if (!session.json) for (const line of taskTable(tasks, width)) await print(line);
        return 0;
      }),
    );
}
