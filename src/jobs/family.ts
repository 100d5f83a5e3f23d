import type { JsonObject } from "@bufbuild/protobuf";
import type { Git } from "../git/client.ts";
import type { SshSettings } from "../git/ssh-options.ts";
import type { AccessKeyInstaller } from "../keys/installer.ts";
import type { ProgramSpec } from "../process/wrapper.ts";
import { PrepareError } from "../task/errors.ts";
import type { App, BaseEnvironment } from "./app.ts";
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

/** Apps that are called alike. */
export interface Family<Input> {
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
    `Cannot run app ${name}: there is no program ${programNames(app)} on this server (${pathTrouble(app) ?? `PATH ${path}`}); install it`,
  );
}
