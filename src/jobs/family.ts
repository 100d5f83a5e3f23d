import type { JsonObject } from "@bufbuild/protobuf";
import type { RunTaskRequest } from "../../gen/signalman/v1/task_service_pb.ts";
import type { Template } from "../../gen/signalman/v1/template_pb.ts";
import type { Git } from "../git/client.ts";
import type { SshSettings } from "../git/ssh-options.ts";
import type { AccessKeyInstaller } from "../keys/installer.ts";
import type { ProgramSpec } from "../process/wrapper.ts";
import { type FieldViolation, PrepareError } from "../task/errors.ts";
import type { TaskOutcome, TaskSpec } from "../task/types.ts";
import type { App, Apps, BaseEnvironment } from "./app.ts";
import { findProgram, pathTrouble, programNames } from "./find-program.ts";
import type { Commit, FoundPlan } from "./job.ts";
import type { TaskFolder } from "./local/task-folder.ts";

/** A task's filled workspace, and what else there is to make a program of. */
export interface Site<Input> {
  input: Input;
  app: App;
  folder: TaskFolder;
  /** What the program inherits, under everything that users set. */
  base: BaseEnvironment;
  keys: AccessKeyInstaller;
  /** For repositories beside the template's own. */
  git: Git;
  /** `sshOptions` makes arguments for ssh of it. */
  ssh: SshSettings;
  /** Folder of what Ansible Galaxy brought before, for every task. */
  galaxyCache: string;
  commit: Commit;
  /** What every process of the task carries as SIGNALMAN_TASK. */
  marker: string;
  /** Adds a line of ours to the task's log. */
  say(text: string): void;
}

/** What a caller sets for an app, as RunTaskRequest and Task have it. */
export type Params = RunTaskRequest["params"];

/** What a caller asks for, secret values included. */
export type Asked = Pick<TaskSpec, "variables" | "env" | "arguments" | "gitBranch" | "commit"> & {
  secretVariables: Record<string, string>;
  /** Full name; empty: the template's. */
  inventory: string;
  params: Params;
};

/** Something that a caller may set only if the template allows it. */
export interface Override {
  /** Of RunTaskRequest. */
  field: string;
  allowed(template: Template): boolean;
  given(asked: Asked): boolean;
}

/** What the service's own hook says in the log of each task. */
export interface FamilyHook<Input> {
  /** Before the task: what will run. */
  announce(input: Input & { template: { name: string; path: string }; repository: { name: string } }): string;
  /** After a task that failed: what its exit code or its last errors mean; undefined: nothing more is known. */
  explain(end: FailedRun): string | undefined | Promise<string | undefined>;
}

export interface FailedRun {
  app: string;
  outcome: TaskOutcome;
  /** The end of what the program wrote to stderr. */
  lastErrors(): Promise<Buffer>;
}

/** Apps that are called alike: all that the service knows of them. families.ts lists the families. */
export interface Family<Input> {
  /** Its apps, by the names that templates use. */
  readonly apps: Apps;
  /** Milliseconds from the signal that asks its programs to end to SIGKILL, unless a caller says otherwise. */
  readonly graceMs: number;
  readonly hook: FamilyHook<Input>;
  /** What else the program at this path needs in its environment to tell its version. */
  probeEnvironment?(command: string): Record<string, string>;
  /** Its part of a task's details: the template's settings with the caller's over them. */
  settings?(template: Template, params: Params): object;
  readonly overrides?: readonly Override[];
  /** Everything else that a caller may not ask for, by field of RunTaskRequest. */
  checkAsked?(template: Template, asked: Asked): FieldViolation[];
  /** What is wrong with the stored spec of a template, by its fields. */
  checkTemplate?(spec: JsonObject): FieldViolation[];
  /** What is wrong with the stored spec of a template's inventory, in words behind its name; undefined: nothing. */
  checkInventory?(inventory: JsonObject, app: string): string | undefined;
  /**
   * Writes what the program needs beside the workspace, and says what to start.
   * @throws PrepareError; the signal's reason.
   */
  prepare(site: Site<Input>, signal: AbortSignal): Promise<ProgramSpec>;
  /** What asks its programs to end. Default: SIGTERM. */
  readonly politeSignal?: "SIGINT";
  /** The proto3 JSON of a TaskResult, from what the program left; undefined: it left nothing to tell of. */
  result?(
    folder: TaskFolder,
    end: { hasSucceeded: boolean; confirmed: boolean; mask: (text: string) => string },
  ): Promise<JsonObject | undefined>;
  /** Of those whose program makes a plan that somebody has to confirm. */
  readonly planning?: Planning<Input>;
}

/** A family whose tasks have two programs: one makes a plan, the other applies it. */
export interface Planning<Input> {
  /** What the first program, which has ended well, leaves to be confirmed; undefined: nothing. */
  waitingPlan(folder: TaskFolder): Promise<FoundPlan | undefined>;
  /**
   * The second program, for the plan of this digest alone.
   * @throws PrepareError if the plan is gone, or another one
   */
  apply(site: Omit<Site<Input>, "commit">, digest: string): Promise<ProgramSpec>;
}

/** Absolute path of an app's command, as the program's own PATH finds it. @throws PrepareError */
export function commandOf(app: App, name: string, path = ""): string {
  const found = findProgram(app, path);
  if (found) return found;
  throw new PrepareError(
    `Cannot run app ${name}: there is no program ${programNames(app)} on this server (${pathTrouble(app) ?? "no folder of its PATH has it"}); install it`,
  );
}
