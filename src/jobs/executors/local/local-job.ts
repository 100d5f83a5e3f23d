import { existsSync } from "node:fs";
import { backOff, retry } from "../../../async/retry.ts";
import { readRegular } from "../../../files/regular-file.ts";
import { replaceFile } from "../../../files/replace-file.ts";
import { createGit } from "../../../git/client.ts";
import type { AccessKey } from "../../../keys/access-key.ts";
import { createInstaller, removeInstalls } from "../../../keys/installer.ts";
import { hasSockets } from "../../../keys/socket-folder.ts";
import type { Isolation } from "../../../process/isolation/isolation.ts";
import { sweepMarked } from "../../../process/kill-by-marker.ts";
import type { Launcher } from "../../../process/launcher.ts";
import { bootId } from "../../../process/proc.ts";
import { adoptProcess, type RunningProcess, startProcess } from "../../../process/process.ts";
import { readEnd } from "../../../process/read-end.ts";
import { removeTree } from "../../../process/remove-tree.ts";
import type { ProgramSpec } from "../../../process/wrapper.ts";
import { PrepareError } from "../../../task/errors.ts";
import type { App, Apps } from "../../apps/app.ts";
import { type FamilyInput, familyOf } from "../../families/all.ts";
import type { Family, Site } from "../../families/family.ts";
import type { Job, Program } from "../../job.ts";
import type { TaskOfJob } from "../executor.ts";
import { type Forwarded, inheritedEnvironment } from "./environment.ts";
import { markerOf } from "./marker.ts";
import { localProgram } from "./output.ts";
import type { Shared } from "./shared.ts";
import { endSideScripts, runSideScript } from "./side-script.ts";
import { createSurroundings } from "./surroundings.ts";
import {
  assertSameUser,
  makeTaskFolder,
  removeTaskFolder,
  removeWorkspace,
  taskFolder,
} from "./task-folder.ts";
import { assertOpen, fillWorkspace, reasonOf, type WorkspaceOptions } from "./workspace.ts";

/*
 * The job of the executor `local`: a task whose program is a process on this machine.
 *
 * Each task has its own folder (task-folder.ts). `prepare` fills the workspace from the repository (workspace.ts) and lets the
 * app's family write its files and choose the command. `start` launches the command in the background with pumps that append
 * its output to the spool, so that process and output survive the server; a later server adopts them by `attach`. Every
 * process of the task carries a marker in its environment (marker.ts), by which all of them are found and killed.
 *
 * The handle is the boot id: after a restart of the machine, process ids mean nothing and a program that had been started is
 * lost. Files that cannot be removed at once are left to leftovers.ts. Process handling itself is in src/process/.
 */

/** A sweep fails only while descriptors or memory are missing, and nothing may follow it before it has succeeded. */
const sweepRetries = () => ({
  pausesMs: backOff({ firstMs: 50, longestMs: 1000 }),
  signal: new AbortController().signal,
});
/** Largest size of the kept secrets of a program, in bytes. */
const MAX_KEPT_BYTES = 256 * 1024 * 1024;

/** Task details that a job needs. */
export interface JobInput extends FamilyInput {
  repository: { name: string } & WorkspaceOptions["repository"];
  repositoryKey: AccessKey;
  gitBranch: string;
  commit: string;
}

export interface LocalJobOptions {
  /** Folder of all task folders. */
  tasksRoot: string;
  /** Id of this server's node. */
  node: string;
  apps: Apps;
  /** Starts the programs. */
  launcher: Launcher;
  forwarded: Forwarded;
  /** Returns what the tasks of a template, given by its full name, share with others of the same user. */
  sharedBy(template: string): Shared;
  /** Files and folders of the service, which no repository may name or lie in. */
  closed: readonly string[];
  /** Full names of templates whose tasks are not isolated. */
  isolationExempt: readonly string[];
}

/** Creates the job of a task whose program runs on this machine. */
export function createLocalJob(
  options: LocalJobOptions,
  { id, project, template, app: appName, plan: confirmed, executorHandle: earlier }: TaskOfJob,
  say: (text: string) => void,
): Job<JobInput> {
  const fullName = `projects/${project}/templates/${template}`;
  const shared = options.sharedBy(fullName);
  const { user } = shared;
  const folder = taskFolder(options.tasksRoot, id, user);
  const family = familyOf(appName);
  // The program that applies a confirmed plan has a spool of its own, so that it is not mistaken for the first program.
  const spool = confirmed ? folder.applySpool : folder.spool;
  const marker = markerOf(id, options.node);
  const isExempt = options.isolationExempt.includes(fullName);
  const isolation: Isolation = isExempt ? { mode: "none" } : shared.isolation;
  const surroundings = createSurroundings({ ...shared, isolation }, folder);
  let program: ProgramSpec | undefined;
  // False once the program was followed to its end: its processes have been swept, and another scan would be costly.
  let maybeAlive = true;
  // True after `attach`: an earlier server that was killed may have left a hook's script running.
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
      const { git, keys, closed, copyFor } = site;
      const commit = await fillWorkspace(
        { ...input, target: folder.work, git, keys, closed, copyFor, say },
        signal,
      );
      program = await known.family.prepare({ ...site, commit }, signal);
      surroundings.save();
      return commit;
    },
    waitingPlan: async () => (confirmed ? undefined : family.planning?.waitingPlan(folder)),
    async park() {
      // An SSH agent with the repository's key outlives the program.
      if (hasSockets(folder.private)) await sweepMarked(marker);
      await removeInstalls(folder.private);
    },
    dropOutput: () => removeTree(spool).catch(() => {}),
    async prepareApply(input, { digest }) {
      const { app, family } = knownApp();
      assertSameUser(folder);
      program = await family.planning?.apply(siteOf(app, input), digest);
    },
    result: async (hasSucceeded, mask) =>
      family
        .result?.(folder, { hasSucceeded, confirmed: confirmed !== null, mask })
        .catch((error: unknown) => {
          say(
            `Cannot read the task's result (GetTaskResult has none; its status is not affected): ${reasonOf(error)}`,
          );
          return undefined;
        }),
    async start() {
      if (!program) throw new PrepareError("Cannot start a task that was not prepared");
      const enclosure = surroundings.enclose({ cwd: program.cwd });
      const titled = { ...program, title: `${project}/${id}`, ...(enclosure && { enclosure }) };
      const started = startProcess(options.launcher, spool, marker, titled).catch((cause: unknown) => {
        throw new PrepareError(`Cannot start ${program?.command}: ${reasonOf(cause)}`, { cause });
      });
      return followed(await started);
    },
    async attach() {
      isInherited = true;
      const running = await adoptProcess(spool, marker);
      if (running) return followed(running);
      // The folder is made before a start is recorded. A task without one has been forgotten here, and the database is older.
      if (!existsSync(folder.root)) return "lost";
      // After a crash of the machine, the disk may lack the record of a start that the database has: the program is lost.
      return earlier === null || earlier === bootId() ? undefined : "lost";
    },
    lastErrors: (most) => readEnd(spool, "stderr", most),
    async runScript(script, task, signal) {
      assertSameUser(folder);
      if (isInherited) await endSideScripts(marker);
      const { enclose } = surroundings;
      return runSideScript({ ...options, user, folder, marker, enclose }, script, task, signal);
    },
    keep: async (bytes) => replaceFile(folder.kept, bytes),
    kept: async () => readRegular(folder.kept, { maxBytes: MAX_KEPT_BYTES }),
    async cleanup() {
      if (maybeAlive || isInherited || hasSockets(folder.private))
        await retry(() => sweepMarked(marker), sweepRetries());
      await removeWorkspace(folder).catch((error: unknown) =>
        say(`Cannot remove the workspace: ${reasonOf(error)}`),
      );
    },
    // A folder that cannot be removed now is removed later by the pool, through `Leftovers`.
    forget: () => removeTaskFolder(folder).catch(() => {}),
    // The node that has claimed the task cannot reach processes on this machine.
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
    const { forwarded, closed } = options;
    const { mirrors, galaxyCache, ssh } = shared;
    const base = inheritedEnvironment(forwarded, folder, user);
    const env = { ...forwarded, PATH: base.PATH, TMPDIR: folder.tmp };
    const { enclose, addSource } = surroundings;
    const onFolder = (path: string) => {
      assertOpen(path, closed);
      addSource(path);
    };
    const git = createGit({ mirrors, ssh, env, marker, enclose, onMirror: addSource, onFolder });
    const keys = createInstaller({ folder: folder.private, marker, path: base.PATH, user });
    return {
      input,
      app,
      folder,
      base,
      keys,
      git,
      galaxyCache,
      ssh,
      marker,
      closed,
      copyFor: user && { user, marker, path: base.PATH },
      enclose,
      onSource: addSource,
      say,
    };
  }
}

function unknownApp(name: string, apps: Apps): string {
  return `Cannot run app ${name}: this server knows ${Object.keys(apps).sort().join(", ")}. Declare it in SIGNALMAN_APPS`;
}
