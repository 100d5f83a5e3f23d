/** A program that runs a template's path: what to start, and what comes before the path. */
export interface App {
  command: string;
  /** The program where `command` is not to be found. */
  otherwise?: string;
  args: readonly string[];
  /** Its own settings, under everything that users set. */
  env?: Readonly<Record<string, string>>;
}

/** By the name that templates use. */
export type Apps = Readonly<Record<string, App>>;

/** Those that are there without being declared. */
export const BUILT_IN: Apps = {
  bash: { command: "bash", args: [] },
  sh: { command: "sh", args: [] },
  // Unbuffered, or a pipe would show its output only at the end.
  python: { command: "python3", args: [], env: { PYTHONUNBUFFERED: "1" } },
  node: { command: "node", args: [] },
  ansible: { command: "ansible-playbook", args: [] },
  // PowerShell 7 and newer; Windows' own has the other name. -File takes the rest of the line as the script's.
  powershell: {
    command: "pwsh",
    otherwise: "powershell",
    args: ["-NoProfile", "-NonInteractive", "-File"],
    env: { POWERSHELL_TELEMETRY_OPTOUT: "1" },
  },
  terraform: { command: "terraform", args: [] },
  tofu: { command: "tofu", args: [] },
  // Everything behind `--` is Terraform's; its output comes as it is.
  terragrunt: {
    command: "terragrunt",
    args: ["run", "--"],
    env: { TG_TF_PATH: "terraform", TG_NON_INTERACTIVE: "true", TG_TF_FORWARD_STDOUT: "true" },
  },
};

/** What every task gets, whatever users set; they may set PATH, HOME and the like anew. */
export interface BaseEnvironment extends Readonly<Record<string, string>> {
  PATH: string;
  HOME: string;
  TMPDIR: string;
  LANG: string;
}
