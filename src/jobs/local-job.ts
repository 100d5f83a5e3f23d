import { access, constants, realpath, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join, sep } from "node:path";
import { createGit } from "../git/client.ts";
import { sweepMarked } from "../process/marked.ts";
import { adoptProcess, type RunningProcess, startProcess } from "../process/process.ts";
import type { Program } from "../process/wrapper.ts";
import { PrepareError } from "../task/errors.ts";
import type { App, Apps } from "./apps/app.ts";
import { type ShellInput, shellArguments, shellEnvironment } from "./apps/shell.ts";
import type { Commit, Job } from "./job.ts";
import { markerOf } from "./marker.ts";
import { makeTaskFolder, removeTaskFolder, removeWorkspace, taskFolder } from "./task-folder.ts";
import { fillWorkspace, reasonOf } from "./workspace.ts";

/** What a job is made of; a part of the task's details. */
export interface JobInput extends ShellInput {
  template: ShellInput["template"] & { app: string };
  repository: { name: string; url: string };
  gitBranch: string;
  commit: string;
}

export interface LocalJobOptions {
  /** Folder of all task folders. */
  tasksRoot: string;
  /** This server's id. */
  node: string;
  apps: Apps;
  /** Variables of the server that every program inherits, beside PATH and LANG. */
  forwarded: Readonly<Record<string, string>>;
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
      if (!app) throw new PrepareError(unknownApp(name, apps));
      await makeTaskFolder(folder).catch((cause: unknown) => {
        throw new PrepareError(`Cannot make the task's folder ${folder.root}: ${reasonOf(cause)}`, { cause });
      });
      const workspace = { ...input, url: input.repository.url, target: folder.work };
      using _strays = endStrays(signal);
      const commit = await fillWorkspace({ ...workspace, git: createGit(marker), say }, signal);
      program = await programOf(app, input, commit);
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
      if (maybeAlive) await sweepMarked(marker);
      await removeWorkspace(folder).catch((error: unknown) =>
        say(`Cannot remove the workspace: ${reasonOf(error)}`),
      );
    },
    // What cannot be removed now is removed at the next start of the server.
    forget: () => removeTaskFolder(folder).catch(() => {}),
  };

  /** What git starts may hold git's output open: without its end, preparation would wait for it after a stop. */
  function endStrays(signal: AbortSignal): Disposable {
    const sweep = () => void sweepMarked(marker).catch(() => {});
    signal.addEventListener("abort", sweep, { once: true });
    return { [Symbol.dispose]: () => signal.removeEventListener("abort", sweep) };
  }

  async function programOf(app: App, input: JobInput, commit: Commit): Promise<Program> {
    const base = {
      ...options.forwarded,
      PATH: process.env.PATH ?? "/usr/local/bin:/usr/bin:/bin",
      LANG: process.env.LANG ?? "C.UTF-8",
      HOME: folder.home,
      TMPDIR: folder.tmp,
      PWD: folder.work,
    };
    const env = shellEnvironment(app, input, base, commit);
    await assertScript(folder.work, input);
    const command = await findCommand(app.command, env.PATH ?? "", input.template.app);
    return { command, args: shellArguments(app, input), cwd: folder.work, env };
  }
}

function unknownApp(name: string, apps: Apps): string {
  return `Cannot run app ${name}: this server knows ${Object.keys(apps).sort().join(", ")}. Declare it in SIGNALMAN_APPS`;
}

async function assertScript(work: string, { template, repository }: JobInput): Promise<void> {
  const path = await realpath(join(work, template.path)).catch((cause: unknown) => {
    throw new PrepareError(
      `Cannot run ${template.path}: there is no such file in ${repository.name} (${repository.url})`,
      { cause },
    );
  });
  if (!`${path}${sep}`.startsWith(`${await realpath(work)}${sep}`)) {
    throw new PrepareError(`Cannot run ${template.path}: it leads out of ${repository.name}`);
  }
  if ((await stat(path)).isDirectory())
    throw new PrepareError(`Cannot run ${template.path}: it is a folder, not a file`);
}

/** Absolute path of a command, as the program's own PATH finds it. */
async function findCommand(command: string, path: string, app: string): Promise<string> {
  const places = command.includes(sep)
    ? [command]
    : path.split(delimiter).map((folder) => join(folder, command));
  for (const place of places) {
    if (isAbsolute(place) && (await isExecutable(place))) return place;
  }
  throw new PrepareError(
    `Cannot run app ${app}: there is no program ${command} on this server (PATH ${path}); install it`,
  );
}

async function isExecutable(path: string): Promise<boolean> {
  return Promise.all([access(path, constants.X_OK), stat(path)]).then(
    ([, found]) => found.isFile(),
    () => false,
  );
}
