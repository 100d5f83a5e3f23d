import { readRegular } from "../../files/regular-file.ts";
import { replaceFile } from "../../files/replace-file.ts";
import { createGit } from "../../git/client.ts";
import type { Mirrors } from "../../git/mirrors.ts";
import type { SshSettings } from "../../git/ssh-options.ts";
import type { AccessKey } from "../../keys/access-key.ts";
import { createInstaller, removeInstalls } from "../../keys/installer.ts";
import { hasSockets } from "../../keys/socket-folder.ts";
import { sweepMarked } from "../../process/kill-by-marker.ts";
import type { Launcher } from "../../process/launcher.ts";
import { bootId } from "../../process/proc.ts";
import { adoptProcess, type RunningProcess, startProcess } from "../../process/process.ts";
import { readEnd } from "../../process/read-end.ts";
import { removeTree } from "../../process/remove-tree.ts";
import type { ProgramSpec } from "../../process/wrapper.ts";
import { PrepareError } from "../../task/errors.ts";
import type { App, Apps } from "../app.ts";
import type { TaskOfJob } from "../executor.ts";
import { type FamilyInput, familyOf } from "../families.ts";
import type { Family, Site } from "../family.ts";
import type { Job, Program } from "../job.ts";
import { type Forwarded, inheritedEnvironment } from "./environment.ts";
import { markerOf } from "./marker.ts";
import { localProgram } from "./output.ts";
import { endSideScripts, runSideScript } from "./side-script.ts";
import { makeTaskFolder, removeTaskFolder, removeWorkspace, taskFolder } from "./task-folder.ts";
import { fillWorkspace, reasonOf, type WorkspaceOptions } from "./workspace.ts";

/** Of all that a program was given as secrets. */
const MAX_KEPT_BYTES = 256 * 1024 * 1024;

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
  /** Starts the programs. */
  launcher: Launcher;
  forwarded: Forwarded;
  mirrors: Mirrors;
  /** Folder of what Ansible Galaxy brought before. */
  galaxyCache: string;
  /** How hosts are reached by SSH, whoever does it. */
  ssh: SshSettings;
}

/** A task on this machine: workspace, app, process. Its handle is the boot id: pids of another boot mean nothing. */
export function createLocalJob(
  options: LocalJobOptions,
  { id, project, app: appName, plan: confirmed, executorHandle: earlier }: TaskOfJob,
  say: (text: string) => void,
): Job<JobInput> {
  const folder = taskFolder(options.tasksRoot, id);
  const family = familyOf(appName);
  // A task whose plan was confirmed has a second program, which is not to be taken for the first.
  const spool = confirmed ? folder.applySpool : folder.spool;
  const marker = markerOf(id, options.node);
  let program: ProgramSpec | undefined;
  // A program that was followed to its end has been swept; a scan of all processes is not cheap.
  let maybeAlive = true;
  // A server that was killed may have left a script that ran beside the program.
  let isInherited = false;
  let current: RunningProcess | undefined;
  const followed = (running: RunningProcess): Program => {
    current = running;
    void running.ended.then(() => {
      maybeAlive = false;
    });
    const release = () => {
      current = undefined;
      running.release();
    };
    return localProgram({ ...running, release }, spool, family.politeSignal);
  };

  const job: Job<JobInput> = {
    handle: bootId(),
    async prepare(input, signal) {
      const known = knownApp();
      await makeTaskFolder(folder).catch((cause: unknown) => {
        throw new PrepareError(`Cannot make the task's folder ${folder.root}: ${reasonOf(cause)}`, { cause });
      });
      const site = siteOf(known.app, input);
      const { git, keys } = site;
      const commit = await fillWorkspace({ ...input, target: folder.work, git, keys, say }, signal);
      program = await known.family.prepare({ ...site, commit }, signal);
      return commit;
    },
    waitingPlan: async () => (confirmed ? undefined : family.planning?.waitingPlan(folder)),
    async park() {
      // An agent with the repository's key outlives the program.
      if (hasSockets(folder.private)) await sweepMarked(marker);
      await removeInstalls(folder.private);
    },
    dropOutput: () => removeTree(spool).catch(() => {}),
    async prepareApply(input, { digest }) {
      const { app, family } = knownApp();
      program = await family.planning?.apply(siteOf(app, input), digest);
    },
    result: async (hasSucceeded, mask) =>
      family
        .result?.(folder, { hasSucceeded, confirmed: confirmed !== null, mask })
        .catch((error: unknown) => {
          say(`Cannot read what it brought about: ${reasonOf(error)}`);
          return undefined;
        }),
    async start() {
      if (!program) throw new PrepareError("Cannot start a task that was not prepared");
      const titled = { ...program, title: `${project}/${id}` };
      const started = startProcess(options.launcher, spool, marker, titled).catch((cause: unknown) => {
        throw new PrepareError(`Cannot start ${program?.command}: ${reasonOf(cause)}`, { cause });
      });
      return followed(await started);
    },
    async attach() {
      isInherited = true;
      const running = await adoptProcess(spool, marker);
      if (running) return followed(running);
      // After a crash of the whole machine the disk may have forgotten a start that the database remembers.
      return earlier === null || earlier === bootId() ? undefined : "lost";
    },
    lastErrors: (most) => readEnd(spool, "stderr", most),
    async runScript(script, task, signal) {
      if (isInherited) await endSideScripts(marker);
      return runSideScript({ ...options, folder, marker }, script, task, signal);
    },
    keep: async (bytes) => replaceFile(folder.kept, bytes),
    kept: async () => readRegular(folder.kept, { maxBytes: MAX_KEPT_BYTES }),
    async cleanup() {
      if (maybeAlive || isInherited || hasSockets(folder.private)) await sweepMarked(marker);
      await removeWorkspace(folder).catch((error: unknown) =>
        say(`Cannot remove the workspace: ${reasonOf(error)}`),
      );
    },
    // What cannot be removed now is left to the rounds of the pool (`leftovers`).
    forget: () => removeTaskFolder(folder).catch(() => {}),
    // Whoever has it now cannot reach what runs here.
    async abandon() {
      current?.kill({ graceMs: 0 });
      await current?.ended;
      await job.cleanup();
      await job.forget();
    },
  };
  return job;

  function knownApp(): { app: App; family: Family<FamilyInput> } {
    const { apps } = options;
    const app = Object.hasOwn(apps, appName) ? apps[appName] : undefined;
    if (!app) throw new PrepareError(unknownApp(appName, apps));
    return { app, family };
  }

  function siteOf(app: App, input: JobInput): Omit<Site<JobInput>, "commit"> {
    const { mirrors, galaxyCache, ssh, forwarded } = options;
    const base = inheritedEnvironment(forwarded, folder);
    const env = { ...forwarded, PATH: base.PATH, TMPDIR: folder.tmp };
    const git = createGit({ mirrors, ssh, env, marker });
    const keys = createInstaller({ folder: folder.private, marker, path: base.PATH });
    return { input, app, folder, base, keys, git, galaxyCache, ssh, marker, say };
  }
}

function unknownApp(name: string, apps: Apps): string {
  return `Cannot run app ${name}: this server knows ${Object.keys(apps).sort().join(", ")}. Declare it in SIGNALMAN_APPS`;
}
