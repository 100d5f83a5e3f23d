import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../../../process/command.ts";
import { sweepMarked } from "../../../process/kill-by-marker.ts";
import { PrepareError } from "../../../task/errors.ts";
import type { Exit } from "../../../task/exit.ts";
import type { Apps } from "../../apps/app.ts";
import { familyNameOf } from "../../families/all.ts";
import { commandOf } from "../../families/family.ts";
import { type ShellInput, shellEnvironment } from "../../families/shell/shell.ts";
import type { Commit, SideScript } from "../../job.ts";
import { type Forwarded, inheritedEnvironment } from "./environment.ts";
import type { Enclose } from "./surroundings.ts";
import type { TaskFolder } from "./task-folder.ts";

export interface SideScriptPlace {
  folder: TaskFolder;
  /** Marker of the task. */
  marker: string;
  apps: Apps;
  forwarded: Forwarded;
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
  { folder, marker, apps, forwarded, enclose }: SideScriptPlace,
  script: SideScript,
  { input, commit }: { input: ShellInput; commit: Commit },
  signal: AbortSignal,
): Promise<Exit> {
  const app = Object.hasOwn(apps, script.app) ? apps[script.app] : undefined;
  if (!app || familyNameOf(script.app) !== "shell")
    throw new PrepareError(`Cannot run app ${script.app}: this server has no shell-like app of that name`);
  for (const path of [folder.work, folder.home, folder.tmp])
    await mkdir(path, { recursive: true, mode: 0o700 });
  const env = shellEnvironment(app, input, inheritedEnvironment(forwarded, folder), commit);
  const command = await commandOf(app, script.app, env.PATH);
  const place = await mkdtemp(join(folder.tmp, "side-"));
  try {
    // PowerShell runs only files whose name ends in .ps1.
    const file = join(place, script.app === "powershell" ? "script.ps1" : "script");
    await writeFile(file, script.text, { mode: 0o600, flag: "wx" });
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
    await rm(place, { recursive: true, force: true });
  }
}

/** Kills the side scripts that an earlier server left when it was killed; the task's program runs on. */
export async function endSideScripts(marker: string): Promise<void> {
  await sweepMarked(sideMarker(marker));
}
