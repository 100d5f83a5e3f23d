import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import { type Command, Option } from "commander";
import {
  type AbandonTaskRequestSchema,
  AbandonTaskResponseSchema,
  KillOutcome,
  type KillTaskRequestSchema,
  KillTaskResponseSchema,
  type KillTasksRequestSchema,
  KillTasksResponseSchema,
} from "../../../gen/signalman/v1/task_service_pb.ts";
import { forEachName } from "../each.ts";
import { UsageError } from "../errors.ts";
import { parseTask, parseTemplate, shortName } from "../input/names.ts";
import { parseDuration } from "../input/values.ts";
import { type Session, withSession } from "../session.ts";
import { jsonLine } from "../terminal/json.ts";
import { print, say } from "../terminal/output.ts";
import { statusWord } from "../terminal/status.ts";

interface KillOptions {
  template?: string;
  abandon?: true;
  force?: true;
  grace?: Duration;
  reason?: string;
}

const SAID: Record<KillOutcome, string> = {
  [KillOutcome.UNSPECIFIED]: "asked to stop",
  [KillOutcome.KILLED_BEFORE_START]: "stopped before it started",
  [KillOutcome.KILL_REQUESTED]: "asked to stop",
  [KillOutcome.ALREADY_STOPPING]: "was stopping already",
  [KillOutcome.ALREADY_FINAL]: "had ended already",
};

export function addKill(program: Command): void {
  program
    .command("kill")
    .description("stop tasks, or all tasks of a template: SIGTERM, then SIGKILL after the grace period")
    .argument("[task...]", "the tasks", (text: string, before: string[] = []) => [...before, parseTask(text)])
    .option("--template <template>", "all tasks of this template that have not ended", parseTemplate)
    .option("--force", "send SIGKILL at once")
    .option(
      "--grace <duration>",
      "time between SIGTERM and SIGKILL, 10s (Terraform: 30s) unless given",
      parseDuration,
    )
    .addOption(
      new Option(
        "--abandon",
        "end tasks as LOST at once whose server is away, and free their templates; make sure that their programs have ended",
      ).conflicts(["template", "force", "grace"]),
    )
    .option("--reason <text>", "reason, shown with the task")
    .action(
      withSession(async (session, names: string[], { template, abandon, ...request }: KillOptions) => {
        if ((names.length === 0) === (template === undefined))
          throw new UsageError("kill needs either tasks or --template PROJECT/TEMPLATE");
        if (abandon)
          return forEachName(names, (name) => abandonOne(session, { name, reason: request.reason }));
        const asked = { force: request.force, gracePeriod: request.grace, reason: request.reason };
        if (template !== undefined) await killAll(session, { template, ...asked });
        return forEachName(names, (name) => killOne(session, { name, ...asked }));
      }),
    );
}

async function killOne(
  session: Session,
  request: MessageInitShape<typeof KillTaskRequestSchema> & { name: string },
): Promise<void> {
  const response = await session.call(({ tasks }, options) => tasks.killTask(request, options));
  const status = statusWord(response.task?.status ?? 0);
  if (session.json) await print(jsonLine(KillTaskResponseSchema, response));
  else await print(`${shortName(request.name)} ${SAID[response.outcome]} (${status})`);
  if (response.awayNode) sayAway(session, [shortName(request.name)], response.awayNode);
}

/** Says that tasks go on because their server is away. */
function sayAway(session: Session, tasks: readonly string[], node: string): void {
  const [subject, ending, programs] =
    tasks.length === 1
      ? [tasks[0], "it ends", "its program has"]
      : [`${tasks.length} tasks`, "they end", "their programs have"];
  const command = session.command(`kill --abandon ${tasks.length === 1 ? tasks[0] : "TASK…"}`);
  say(`${subject}: the server is away (${node}); ${ending} when it is back`);
  say(`if you have made sure that ${programs} ended: ${command}`);
}

async function abandonOne(
  session: Session,
  request: MessageInitShape<typeof AbandonTaskRequestSchema> & { name: string },
): Promise<void> {
  const response = await session.call(({ tasks }, options) => tasks.abandonTask(request, options));
  if (session.json) return print(jsonLine(AbandonTaskResponseSchema, response));
  const said = response.abandoned ? "abandoned" : SAID[KillOutcome.ALREADY_FINAL];
  await print(`${shortName(request.name)} ${said} (${statusWord(response.task?.status ?? 0)})`);
}

async function killAll(
  session: Session,
  request: MessageInitShape<typeof KillTasksRequestSchema>,
): Promise<void> {
  const response = await session.call(({ tasks }, options) => tasks.killTasks(request, options));
  if (session.json) return print(jsonLine(KillTasksResponseSchema, response));
  if (response.tasks.length === 0) say(`no task of ${request.template} was waiting or running`);
  for (const { name, outcome } of response.tasks) await print(`${shortName(name)} ${SAID[outcome]}`);
  const away = Map.groupBy(
    response.tasks.filter(({ awayNode }) => awayNode),
    ({ awayNode }) => awayNode,
  );
  for (const [node, tasks] of away)
    sayAway(
      session,
      tasks.map(({ name }) => shortName(name)),
      node,
    );
  const more = response.total - response.tasks.length;
  if (more > 0) await print(`and ${more} more`);
}
