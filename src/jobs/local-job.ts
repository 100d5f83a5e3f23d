import { createGit } from "../git/client.ts";
import type { Mirrors } from "../git/mirrors.ts";
import type { SshSettings } from "../git/ssh-options.ts";
import { createInstaller } from "../keys/installer.ts";
import type { AccessKey } from "../keys/material.ts";
import { hasSockets } from "../keys/socket-folder.ts";
import { sweepMarked } from "../process/marked.ts";
import { adoptProcess, type RunningProcess, startProcess } from "../process/process.ts";
import type { Program } from "../process/wrapper.ts";
import { familyOf } from "../task/apps.ts";
import { PrepareError } from "../task/errors.ts";
import type { Apps } from "./apps/app.ts";
import { type Forwarded, inheritedEnvironment } from "./environment.ts";
import { FAMILIES, type FamilyInput } from "./families/all.ts";
import type { Job } from "./job.ts";
import { markerOf } from "./marker.ts";
import { makeTaskFolder, removeTaskFolder, removeWorkspace, taskFolder } from "./task-folder.ts";
import { fillWorkspace, reasonOf, type WorkspaceOptions } from "./workspace.ts";

/** What a job is made of; a part of the task's details. */
export interface JobInput extends FamilyInput {
  repository: { name: string } & WorkspaceOptions["repository"];
  repositoryKey: AccessKey;
  gitBranch: string;
  commit: string;
}

export interface LocalJobOptions {
  /** Folder of all task folders. */
  tasksRoot: string;
  /** This server's id. */
  node: string;
  apps: Apps;
  forwarded: Forwarded;
  mirrors: Mirrors;
  /** How hosts are reached by SSH, whoever does it. */
  ssh: SshSettings;
}

/** A task on this machine: workspace, app, process. */
export function createLocalJob(
  options: LocalJobOptions,
  id: string,
  say: (text: string) => void,
): Job<JobInput> {
  const folder = taskFolder(options.tasksRoot, id);
  const marker = markerOf(id, options.node);
  let program: Program | undefined;
  // A program that was followed to its end has been swept; a scan of all processes is not cheap.
  let maybeAlive = true;
  const followed = <P extends RunningProcess | undefined>(running: P): P => {
    void running?.ended.then(() => {
      maybeAlive = false;
    });
    return running;
  };

  return {
    spool: folder.spool,
    async prepare(input, signal) {
      const { apps } = options;
      const name = input.template.app;
      const app = Object.hasOwn(apps, name) ? apps[name] : undefined;
      const family = FAMILIES[familyOf(name)];
      if (!app || !family) throw new PrepareError(unknownApp(name, apps));
      await makeTaskFolder(folder).catch((cause: unknown) => {
        throw new PrepareError(`Cannot make the task's folder ${folder.root}: ${reasonOf(cause)}`, { cause });
      });
      const base = inheritedEnvironment(options.forwarded, folder);
      const { mirrors, ssh, forwarded } = options;
      const env = { ...forwarded, PATH: base.PATH, TMPDIR: folder.tmp };
      const git = createGit({ mirrors, ssh, env, marker });
      const keys = createInstaller({ folder: folder.private, marker, path: base.PATH });
      const commit = await fillWorkspace({ ...input, target: folder.work, git, keys, say }, signal);
      const site = { input, app, folder, base, keys, git, ssh, commit, marker, say };
      program = await family.prepare(site, signal);
      return commit;
    },
    async start() {
      if (!program) throw new PrepareError("Cannot start a task that was not prepared");
      const started = startProcess(folder.spool, marker, program).catch((cause: unknown) => {
        throw new PrepareError(`Cannot start ${program?.command}: ${reasonOf(cause)}`, { cause });
      });
      return followed(await started);
    },
    attach: async () => followed(await adoptProcess(folder.spool, marker)),
    async cleanup() {
      if (maybeAlive || hasSockets(folder.private)) await sweepMarked(marker);
      await removeWorkspace(folder).catch((error: unknown) =>
        say(`Cannot remove the workspace: ${reasonOf(error)}`),
      );
    },
    // What cannot be removed now is removed at the next start of the server.
    forget: () => removeTaskFolder(folder).catch(() => {}),
  };
}

function unknownApp(name: string, apps: Apps): string {
  return `Cannot run app ${name}: this server knows ${Object.keys(apps).sort().join(", ")}. Declare it in SIGNALMAN_APPS`;
}
