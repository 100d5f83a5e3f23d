import type { AccessKey } from "../../../keys/access-key.ts";
import type { Apps } from "../../apps/app.ts";
import { lastingGitEnvironment } from "../../executors/local/git-environment.ts";
import { commandOf, type Family } from "../family.ts";
import { meaningOf } from "../meanings.ts";
import { type ScriptInput, scriptPlace } from "../script.ts";
import { type ShellInput, shellArguments, shellEnvironment } from "./shell.ts";

export type ShellFamilyInput = ShellInput &
  ScriptInput & { template: { app: string; gitAccess: boolean }; repositoryKey: AccessKey };

/** Explanations of exit codes of shells (POSIX, Shell Command Language 2.8.2). */
const MEANINGS: Record<number, string> = {
  126: "a command was found but could not be executed; is it executable, and is its first line right?",
  127: "a command was not found; is it installed on this server, and in PATH?",
  137: "killed by SIGKILL, which Signalman did not send; was the machine out of memory?",
};

const apps: Apps = {
  bash: { command: "bash", args: [] },
  sh: { command: "sh", args: [] },
  // Unbuffered: Python buffers output to a pipe, which would show it only at the end.
  python: { command: "python3", args: [], env: { PYTHONUNBUFFERED: "1" } },
  node: { command: "node", args: [] },
  // pwsh is PowerShell 7 and newer; Windows PowerShell is named powershell. Arguments after -File belong to the script.
  powershell: {
    command: "pwsh",
    otherwise: "powershell",
    args: ["-NoProfile", "-NonInteractive", "-File"],
    env: { POWERSHELL_TELEMETRY_OPTOUT: "1" },
  },
};

/**
 * The family of apps that run one script: bash, sh, python, node, powershell, and every app that an operator declares. The
 * script gets the template's and the task's arguments and, as NAME=VALUE arguments, the plain variables. Secret variables
 * are only in its environment, since arguments can be read by every user of the machine. If the template sets `git_access`,
 * git in the script may use the repository's access key.
 */
export const shellFamily = {
  apps,
  graceMs: 10_000,
  variablesAsWords: true,
  hook: {
    announce: ({ template, repository }) =>
      `Running ${template.name}: ${template.app} ${template.path} from ${repository.name}`,
    explain: ({ outcome }) => meaningOf(outcome, MEANINGS),
  },
  async prepare(site, signal) {
    const { input, app, folder, base, commit } = site;
    const git = input.template.gitAccess ? await lastingGitEnvironment(site, signal) : {};
    const env = { ...git, ...shellEnvironment(app, input, base, commit) };
    const { cwd, path } = scriptPlace(folder.work, input);
    const command = commandOf(app, input.template.app, env.PATH);
    return { command, args: shellArguments(app, input, path), cwd, env };
  },
} satisfies Family<ShellFamilyInput>;
