import { Command, InvalidArgumentError, Option } from "commander";
import { DEFAULT_SERVER } from "../client/connect.ts";
import { serverUrl } from "../client/server-url.ts";
import { packageVersion } from "../files/package-version.ts";
import { addAccount } from "./commands/account.ts";
import { addApply } from "./commands/apply.ts";
import { addApps } from "./commands/apps.ts";
import { addAudit } from "./commands/audit.ts";
import { addCompletion } from "./commands/completion.ts";
import { addConfirm } from "./commands/confirm.ts";
import { addDelete } from "./commands/delete.ts";
import { addExport } from "./commands/export.ts";
import { addGet } from "./commands/get.ts";
import { addKill } from "./commands/kill.ts";
import { addList } from "./commands/list.ts";
import { addLogs } from "./commands/logs.ts";
import { addNodes } from "./commands/nodes.ts";
import { addPlan } from "./commands/plan.ts";
import { addReject } from "./commands/reject.ts";
import { addRotateSecrets } from "./commands/rotate-secrets.ts";
import { addRun } from "./commands/run.ts";
import { addServe } from "./commands/serve.ts";
import { addToken } from "./commands/token.ts";
import { addWatch } from "./commands/watch.ts";

const EXIT_CODES = `
A TASK is projects/PROJECT/tasks/UUID or PROJECT/UUID, a template PROJECT/TEMPLATE.

Exit codes: 0 success, 1 the task failed, 2 wrong usage or an error of the service, 3 the task was stopped,
130 left with Ctrl-C.`;

export function createProgram(): Command {
  const program = new Command("signalman")
    .description("Runs tasks from templates and shows them live.")
    .version(packageVersion())
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "signalman: ")) })
    .showHelpAfterError("(see --help)")
    .addOption(
      new Option("--server <host:port>", "server to call")
        .env("SIGNALMAN_SERVER")
        .default(DEFAULT_SERVER)
        .argParser(parseServer),
    )
    .addOption(
      new Option(
        "--token <token>",
        "bearer token; prefer the variable, since other users of the machine can read arguments",
      ).env("SIGNALMAN_TOKEN"),
    )
    .addOption(
      new Option(
        "--ca-file <file>",
        "certificates (PEM) of the authority of an https:// server, in place of the known ones",
      ).env("SIGNALMAN_CA_FILE"),
    )
    .option("--json", "print JSON, one object per line")
    .addHelpText("after", EXIT_CODES);
  for (const add of [
    addServe,
    addApply,
    addExport,

    addRun,
    addWatch,
    addKill,
    addDelete,
    addGet,
    addList,
    addLogs,
    addPlan,
    addConfirm,
    addReject,
    addApps,
    addNodes,
    addAccount,
    addToken,
    addAudit,
    addRotateSecrets,
    addCompletion,
  ])
    add(program);
  return program;
}

/** Parses `--server`. An empty text, which a variable may have, means the default. */
function parseServer(text: string): string {
  if (text === "") return DEFAULT_SERVER;
  try {
    serverUrl(text);
    return text;
  } catch (error) {
    throw new InvalidArgumentError(`The ${error instanceof Error ? error.message : error}.`);
  }
}
