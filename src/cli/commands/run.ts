import { randomUUID } from "node:crypto";
import type { Duration } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { type RunTaskResponse, RunTaskResponseSchema } from "../../../gen/signalman/v1/task_service_pb.ts";
import type { SurveyVariable } from "../../../gen/signalman/v1/template_pb.ts";
import { UsageError } from "../errors.ts";
import { follow } from "../follow.ts";
import { parseTask, parseTemplate } from "../input/names.ts";
import { addParams, type ParamOptions, paramsOf } from "../input/params.ts";
import { findSecrets } from "../input/secrets.ts";
import { type Answers, askSurvey, textQuestions } from "../input/survey.ts";
import { collect, collectPairs, collectSecrets, parseDuration, parseWhole } from "../input/values.ts";
import { collectVariables, readVariables, type VariableInput } from "../input/variables.ts";
import { report } from "../report.ts";
import { type Session, withSession } from "../session.ts";
import { jsonLine } from "../terminal/json.ts";
import { print, say } from "../terminal/output.ts";
import { hasTerminal, openPrompt } from "../terminal/prompt.ts";
import { addOutputOptions, type OutputOptions } from "../terminal/task-output.ts";

interface RunOptions extends ParamOptions, OutputOptions {
  var?: VariableInput[];
  secret?: Record<string, string | undefined>;
  env?: Record<string, string>;
  arg?: string[];
  branch?: string;
  commit?: string;
  label?: Record<string, string>;
  message?: string;
  priority?: number;
  queueTimeout?: Duration;
  runTimeout?: Duration;
  idleTimeout?: Duration;
  confirmTimeout?: Duration;
  inventory?: string;
  buildTask?: string;
  requestId?: string;
  dryRun?: true;
  detailedExitcode?: true;
  input: boolean;
  watch: boolean;
}

export function addRun(program: Command): void {
  const command = program.command("run");
  addOutputOptions(addParams(command))
    .description("run a template and show the task live")
    .argument("<template>", "the template, PROJECT/TEMPLATE", parseTemplate)
    .option(
      "-e, --var <name=value|@file>",
      "variable; text for questions of text, else read as JSON if it is JSON (2, true, [1]); @file: YAML or JSON file of variables",
      collectVariables,
    )
    .option(
      "--secret <name[=value]>",
      "secret variable; a missing value is taken from the environment, else asked for",
      collectSecrets,
    )
    .option("--env <name=value>", "environment variable of the program", collectPairs)
    .option("--arg <text>", "argument of the program, after those of the template", collect)
    .option("--branch <branch>", "git branch to check out")
    .option("--commit <hash>", "git commit to check out")
    .option("--label <name=value>", "label to find the task by later", collectPairs)
    .option("--message <text>", "note, shown with the task")
    .option("--priority <n>", "1 to 100, 50 unless given; a higher priority starts first", parseWhole(1, 100))
    .option("--queue-timeout <duration>", "longest wait in the queue: 90s, 5m, 1h30m", parseDuration)
    .option("--run-timeout <duration>", "longest run of the program", parseDuration)
    .option("--idle-timeout <duration>", "longest time without output", parseDuration)
    .option("--confirm-timeout <duration>", "longest wait of a plan for confirmation", parseDuration)
    .option("--inventory <name>", "inventory to use")
    .option("--build-task <task>", "for a template that deploys: the build task to deploy", parseTask)
    .option(
      "--request-id <uuid>",
      "id of this request, random unless given; repeating it returns the same task",
    )
    .option("--dry-run", "check the request and run nothing")
    .option("--no-input", "ask for nothing: neither answers to the survey nor secrets")
    .option(
      "--detailed-exitcode",
      "with --plan-only: exit with 2 if the plan has changes, with 1 on every failure",
    )
    .option("--no-watch", "print the task's name and exit")
    .action(
      withSession(async (session, template: string, options: RunOptions) => {
        if (!options.detailedExitcode) return await runAndFollow(session, template, options);
        return await runPlan(session, template, options).catch((error: unknown) => {
          const code = report(error);
          return code === CHANGES ? 1 : code;
        });
      }),
    );
}

/** Exit code for a plan with changes. Without `--detailed-exitcode` the same code means that a call failed. */
const CHANGES = 2;

/** Runs `run --plan-only --detailed-exitcode`. @throws UsageError if other options exclude it */
async function runPlan(session: Session, template: string, options: RunOptions): Promise<number> {
  if (!options.planOnly || !options.watch || options.dryRun)
    throw new UsageError("--detailed-exitcode needs --plan-only, and excludes --no-watch and --dry-run");
  return await runAndFollow(session, template, options);
}

async function runAndFollow(session: Session, template: string, options: RunOptions): Promise<number> {
  const response = await runTask(session, template, options);
  const name = response.task?.name ?? "";
  if (name && options.watch) return await follow(session, name, options);
  if (session.json) await print(jsonLine(RunTaskResponseSchema, response));
  else await print(name || `${template}: valid, nothing was run`);
  return 0;
}

/** Calls RunTask. Its request id makes a repetition after a lost answer safe. */
async function runTask(session: Session, template: string, options: RunOptions): Promise<RunTaskResponse> {
  const { variables, secrets } = await answersOf(session, template, options);
  const request = {
    template,
    requestId: options.requestId ?? randomUUID(),
    variables,
    secretVariables: secrets,
    env: options.env,
    arguments: options.arg,
    gitBranch: options.branch,
    commit: options.commit,
    labels: options.label,
    message: options.message,
    priority: options.priority,
    queueTimeout: options.queueTimeout,
    runTimeout: options.runTimeout,
    idleTimeout: options.idleTimeout,
    confirmTimeout: options.confirmTimeout,
    inventory: options.inventory && inventoryName(template, options.inventory),
    buildTask: options.buildTask,
    params: paramsOf(options),
    validateOnly: options.dryRun,
  };
  return session.call(({ tasks }, call) => tasks.runTask(request, call));
}

/**
 * Returns the given variables and secrets and, at a terminal, the answers to the other questions of the template's survey.
 * A value given for a question of text or choice stays text, even if it looks like a number.
 */
async function answersOf(session: Session, name: string, options: RunOptions): Promise<Answers> {
  let asked: Promise<readonly SurveyVariable[]> | undefined;
  const survey = () => {
    asked ??= session
      .call(({ templates }, call) => templates.getTemplate({ name }, call))
      .then(({ template }) => template?.survey ?? []);
    return asked;
  };
  const given = {
    variables: await readVariables(options.var, async () => textQuestions(await survey())),
    secrets: await findSecrets(options.secret, options.input),
  };
  if (!options.input || !hasTerminal()) return given;
  const isAnswered = (question: string) =>
    Object.hasOwn(given.variables, question) || Object.hasOwn(given.secrets, question);
  const open = (await survey()).filter((question) => !isAnswered(question.name));
  if (open.length === 0) return given;
  using prompt = openPrompt();
  return await askSurvey(open, given, { prompt, say });
}

/** Full name of an inventory; a short name means one of the template's project. */
function inventoryName(template: string, name: string): string {
  const [, project] = template.split("/");
  return name.includes("/") ? name : `projects/${project}/inventories/${name}`;
}
