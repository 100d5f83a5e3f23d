import type { Command } from "commander";
import { type Task, TaskSchema } from "../../../gen/signalman/v1/task_pb.ts";
import { jsonLine } from "../json.ts";
import { parseProject, shortName, versionOf } from "../names.ts";
import { print } from "../output.ts";
import { printable } from "../printable.ts";
import { type Session, withSession } from "../session.ts";
import { statusStyle, statusWord } from "../status.ts";
import { table } from "../table.ts";
import { duration, rough, runningMs, since } from "../time.ts";
import { parseWhole } from "../values.ts";

interface ListOptions {
  filter?: string;
  limit: number;
}

const PAGE_SIZE = 1000;

export function addList(program: Command): void {
  program
    .command("list")
    .description("list tasks, the newest first")
    .argument("[project]", "of this project only", parseProject)
    .option("--filter <filter>", 'such as: status = RUNNING AND template != "x" AND labels.team = web')
    .option("--limit <n>", "how many at most", parseWhole(1, 1_000_000), 50)
    .action(
      withSession(async (session, project: string | undefined, { filter, limit }: ListOptions) => {
        const tasks: Task[] = [];
        for await (const task of newest(session, project ?? "projects/-", filter, limit)) {
          if (session.json) await print(jsonLine(TaskSchema, task));
          else tasks.push(task);
        }
        if (!session.json) for (const line of taskTable(tasks)) await print(line);
        return 0;
      }),
    );
}

async function* newest(
  session: Session,
  parent: string,
  filter: string | undefined,
  limit: number,
): AsyncGenerator<Task> {
  let left = limit;
  let pageToken = "";
  do {
    const request = { parent, filter, pageToken, pageSize: Math.min(left, PAGE_SIZE) };
    const page = await session.call(({ tasks }, options) => tasks.listTasks(request, options));
    yield* page.tasks;
    left -= page.tasks.length;
    pageToken = page.nextPageToken;
  } while (pageToken && left > 0);
}

/** Versions have a column where there are any. */
function taskTable(tasks: readonly Task[]): string[] {
  const hasVersions = tasks.some((task) => versionOf(task) !== "");
  const rows = tasks.map((task) => {
    const ran = runningMs(task);
    return [
      shortName(task.name),
      shortName(task.template),
      statusWord(task.status),
      task.createTime ? rough(since(task.createTime)) : "",
      ran === undefined ? "" : duration(ran),
      ...(hasVersions ? [versionOf(task)] : []),
      printable(task.message),
    ];
  });
  const width = process.stdout.isTTY ? process.stdout.columns : undefined;
  const style = (cell: string, row: number) => statusStyle(tasks[row]?.status, cell, process.stdout);
  const versions = hasVersions ? ["VERSION"] : [];
  const header = ["TASK", "TEMPLATE", "STATUS", "AGE", "DURATION", ...versions, "MESSAGE"];
  return table(header, rows, { width, styles: { 2: style } });
}
