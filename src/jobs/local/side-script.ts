import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../../process/command.ts";
import { sweepMarked } from "../../process/kill-by-marker.ts";
import { PrepareError } from "../../task/errors.ts";
import type { Exit } from "../../task/exit.ts";
import type { Apps } from "../app.ts";
import { familyNameOf } from "../families.ts";
import { commandOf } from "../family.ts";
import type { Commit, SideScript } from "../job.ts";
import { type ShellInput, shellEnvironment } from "../shell/shell.ts";
import { type Forwarded, inheritedEnvironment } from "./environment.ts";
import type { TaskFolder } from "./task-folder.ts";

export interface SideScriptPlace {
  folder: TaskFolder;
  /** The task's. */
  marker: string;
  apps: Apps;
  forwarded: Forwarded;
}

/** What the scripts beside a task carry, so that they can be ended without it. */
const sideMarker = (marker: string) => `${marker}/side`;

/**
 * Runs a short script in the task's folder, which is made if it is not there yet, and removes what it needed.
 * @throws PrepareError if it cannot be started; the signal's reason. Nothing of it is alive any more then.
 */
export async function runSideScript(
  { folder, marker, apps, forwarded }: SideScriptPlace,
  script: SideScript,
  { input, commit }: { input: ShellInput; commit: Commit },
  signal: AbortSignal,
): Promise<Exit> {
  const app = Object.hasOwn(apps, script.app) ? apps[script.app] : undefined;
  if (!app || familyNameOf(script.app) !== "shell")
    throw new PrepareError(`Cannot run app ${script.app}: this server knows no such shell-like app`);
  for (const path of [folder.work, folder.home, folder.tmp])
    await mkdir(path, { recursive: true, mode: 0o700 });
  const env = shellEnvironment(app, input, inheritedEnvironment(forwarded, folder), commit);
  const command = await commandOf(app, script.app, env.PATH);
  const place = await mkdtemp(join(folder.tmp, "side-"));
  try {
    // PowerShell takes no other name.
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
    });
    return exit;
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

/** Ends the scripts that a server left when it was killed; the task itself goes on. */
export async function endSideScripts(marker: string): Promise<void> {
  await sweepMarked(sideMarker(marker));
}
