import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { makeFolder, writeNew } from "../../../files/owned.ts";
import { runCommand } from "../../../process/command.ts";
import { sweepMarked } from "../../../process/kill-by-marker.ts";
import { removeTree } from "../../../process/remove-tree.ts";
import type { TaskUser } from "../../../process/task-user.ts";
import { PrepareError } from "../../../task/errors.ts";
import type { Exit } from "../../../task/exit.ts";
import type { Apps } from "../../apps/app.ts";
import { familyNameOf } from "../../families/all.ts";
import { commandOf } from "../../families/family.ts";
import { type ShellInput, shellEnvironment } from "../../families/shell/shell.ts";
import type { Commit, SideScript } from "../../job.ts";
import { type Forwarded, inheritedEnvironment } from "./environment.ts";
import type { Enclose } from "./surroundings.ts";
import { completeTaskFolder, type TaskFolder } from "./task-folder.ts";

export interface SideScriptPlace {
  folder: TaskFolder;
  /** Marker of the task. */
  marker: string;
  apps: Apps;
  forwarded: Forwarded;
  user: TaskUser | undefined;
  enclose: Enclose;
}

/** Returns the marker of a task's side scripts, by which they are killed while the task's program runs on. */
const sideMarker = (marker: string) => `${marker}/side`;

/**
 * Runs a short script in the task's workspace, which is made if it is missing, and removes the script's own files afterwards.
 * When it rejects, no process of the script is alive any more.
 * @throws PrepareError if the script cannot be started; the signal's reason.
 */
export async function runSideScript(
  { folder, marker, apps, forwarded, user, enclose }: SideScriptPlace,
  script: SideScript,
  { input, commit }: { input: ShellInput; commit: Commit },
  signal: AbortSignal,
): Promise<Exit> {
  const app = Object.hasOwn(apps, script.app) ? apps[script.app] : undefined;
  if (!app || familyNameOf(script.app) !== "shell")
    throw new PrepareError(`Cannot run app ${script.app}: this server has no shell-like app of that name`);
  completeTaskFolder(folder);
  const env = shellEnvironment(app, input, inheritedEnvironment(forwarded, folder, user), commit);
  const command = await commandOf(app, script.app, env.PATH);
  const place = join(folder.tmp, `side-${randomUUID()}`);
  makeFolder(place, user);
  try {
    // PowerShell runs only files whose name ends in .ps1.
    const file = join(place, script.app === "powershell" ? "script.ps1" : "script");
    writeNew(file, script.text, user);
    const { exit } = await runCommand({
      command,
      args: [...app.args, file],
      cwd: folder.work,
      env: { ...env, ...script.env },
      marker: sideMarker(marker),
      maxOutput: 1024,
      signal,
      onLine: script.onLine,
      enclosure: enclose({ cwd: folder.work }),
    });
    return exit;
  } finally {
    await removeTree(place);
  }
}

/** Kills the side scripts that an earlier server left when it was killed; the task's program runs on. */
export async function endSideScripts(marker: string): Promise<void> {
  await sweepMarked(sideMarker(marker));
}
