import type { JsonObject } from "@bufbuild/protobuf";
import type { RunTaskRequest } from "../../../gen/signalman/v1/task_service_pb.ts";
import type { Template } from "../../../gen/signalman/v1/template_pb.ts";
import type { Git } from "../../git/client.ts";
import type { SshSettings } from "../../git/ssh-options.ts";
import type { AccessKeyInstaller } from "../../keys/installer.ts";
import type { ProgramSpec } from "../../process/wrapper.ts";
import { type FieldViolation, PrepareError } from "../../task/errors.ts";
import type { TaskOutcome, TaskSpec } from "../../task/types.ts";
import type { App, Apps, BaseEnvironment } from "../apps/app.ts";
import { findProgram, pathTrouble, programNames } from "../apps/find-program.ts";
import type { CopyFor } from "../executors/local/copy-as-user.ts";
import type { Enclose } from "../executors/local/surroundings.ts";
import type { TaskFolder } from "../executors/local/task-folder.ts";
import type { Commit, FoundPlan } from "../job.ts";

/*
 * A family is a group of apps that are prepared in the same way: shell-like, Ansible, Terraform, make. Everything that the
 * service knows about a family stands in one record of type `Family`, in the family's folder; all.ts lists them.
 *
 * The record says which settings a template and a caller may give, which requests are refused, how the workspace becomes a
 * program to start (`prepare`), and what the program's report means afterwards (`result`). A family with `planning` runs two
 * programs: one makes a plan, the other applies it once a person has confirmed it.
 *
 * A family neither starts nor supervises processes: the executor's job does (job.ts, executors/local/local-job.ts).
 */

/** Everything that a family makes a program from: the task's details, its filled workspace, keys, git. */
export interface Site<Input> {
  input: Input;
  app: App;
  folder: TaskFolder;
  /** Environment that the program inherits; variables that users set override it. */
  base: BaseEnvironment;
  keys: AccessKeyInstaller;
  /** Fetches repositories other than the template's. */
  git: Git;
  /** Settings that `sshOptions` turns into arguments of ssh. */
  ssh: SshSettings;
  /** Folder that caches roles and collections from Ansible Galaxy for all tasks. */
  galaxyCache: string;
  commit: Commit;
  /** Value of SIGNALMAN_TASK in the environment of every process of the task. */
  marker: string;
  /** Files and folders of the service, which no repository may name or lie in. */
  closed: readonly string[];
  /** For whom folders of this machine are copied into the workspace. */
  copyFor: CopyFor | undefined;
  /** Returns how a program of the task is separated from the service. */
  enclose: Enclose;
  /** Called with each path outside of the task's folder that its program reads. */
  onSource(path: string): void;
  /** Adds a line of the server to the task's log. */
  say(text: string): void;
}

/** A caller's parameters for the app, as in RunTaskRequest and Task. */
export type Params = RunTaskRequest["params"];

/** The checked parts of a caller's request, secret values included. */
export type Asked = Pick<TaskSpec, "variables" | "env" | "arguments" | "gitBranch" | "commit"> & {
  secretVariables: Record<string, string>;
  /** Full name of the inventory; empty: the template's. */
  inventory: string;
  params: Params;
};

/** A field that a caller may set only if the template allows it. */
export interface Override {
  /** Path of the field in RunTaskRequest. */
  field: string;
  /** Field of the template that allows it. */
  allowedBy: string;
  allowed(template: Template): boolean;
  given(asked: Asked): boolean;
}

/** Lines that the service's built-in hook adds to the log of each task of the family. */
export interface FamilyHook<Input> {
  /** Returns the line before the task: what will run. */
  announce(input: Input & { template: { name: string; path: string }; repository: { name: string } }): string;
  /** Explains the exit code or the last errors of a failed task; undefined: there is no explanation. */
  explain(end: FailedRun): string | undefined | Promise<string | undefined>;
}

export interface FailedRun {
  app: string;
  outcome: TaskOutcome;
  /** Reads the last bytes that the program wrote to stderr. */
  lastErrors(): Promise<Buffer>;
}

/** Apps that are prepared in the same way, with everything that the service knows about them. */
export interface Family<Input> {
  /** Apps of the family, by the names that templates use. */
  readonly apps: Apps;
  /** Default grace period of its programs in milliseconds: from the first signal to SIGKILL. A caller may set another. */
  readonly graceMs: number;
  readonly hook: FamilyHook<Input>;
  /** Returns variables that the program at this path needs in addition when it is asked for its version. */
  probeEnvironment?(command: string): Record<string, string>;
  /** Returns the family's part of a task's details: the template's settings, overridden by the caller's params. */
  settings?(template: Template, params: Params): object;
  readonly overrides?: readonly Override[];
  /** Programs get plain variables as arguments NAME=VALUE, and secret ones as environment variables. */
  readonly variablesAsWords?: true;
  /** Programs export plain variables to the commands that they start, and take environment variables as variables. */
  readonly variablesAreEnvironment?: true;
  /** Returns what a variable of this name means to the app itself; callers set such a one only if the survey asks for it. */
  special?(name: string): string | undefined;
  /** Returns violations beyond `overrides`, by field of RunTaskRequest. */
  checkAsked?(template: Template, asked: Asked): FieldViolation[];
  /** Returns violations in the stored spec of a template, by its fields. */
  checkTemplate?(spec: JsonObject): FieldViolation[];
  /** Returns a violation in the stored spec of a template's inventory, as words that follow its name; undefined: it is valid. */
  checkInventory?(inventory: JsonObject, app: string): string | undefined;
  /**
   * Writes the files that the program needs outside the workspace and returns what to start.
   * @throws PrepareError if the program cannot be prepared; the signal's reason.
   */
  prepare(site: Site<Input>, signal: AbortSignal): Promise<ProgramSpec>;
  /** Signal that asks its programs to end. Default: SIGTERM. */
  readonly politeSignal?: "SIGINT";
  /** Reads the proto3 JSON of a TaskResult from the program's report; undefined: the program left no report. */
  result?(
    folder: TaskFolder,
    end: { hasSucceeded: boolean; confirmed: boolean; mask: (text: string) => string },
  ): Promise<JsonObject | undefined>;
  /** Present if the family's program makes a plan that a person has to confirm. */
  readonly planning?: Planning<Input>;
}

/** A family whose tasks have two programs: one makes a plan, the other applies it. */
export interface Planning<Input> {
  /** Reads the plan that the first program, which has succeeded, leaves to be confirmed; undefined: there is none. */
  waitingPlan(folder: TaskFolder): Promise<FoundPlan | undefined>;
  /**
   * Prepares the second program, which applies exactly the plan of this SHA-256 digest.
   * @throws PrepareError if the plan is gone or has another digest
   */
  apply(site: Omit<Site<Input>, "commit">, digest: string): Promise<ProgramSpec>;
}

/** Returns the absolute path of an app's command, found in the program's own PATH. @throws PrepareError if it is not there */
export function commandOf(app: App, name: string, path = ""): string {
  const found = findProgram(app, path);
  if (found) return found;
  throw new PrepareError(
    `Cannot run app ${name}: there is no program ${programNames(app)} on this server (${pathTrouble(app) ?? "no folder of its PATH has it"}); install it`,
  );
}
