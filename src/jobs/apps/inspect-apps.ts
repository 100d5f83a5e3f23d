import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Forwarded, inheritedEnvironment } from "../executors/local/environment.ts";
import { familyOf } from "../families/all.ts";
import type { App, Apps, BaseEnvironment } from "./app.ts";
import { findProgram, pathTrouble, programNames } from "./find-program.ts";
import { probeVersion } from "./probe-version.ts";

/** State of an app on this machine. */
export interface AppReport {
  name: string;
  app: App;
  /** Absolute path of its program; undefined: the program was not found. */
  path?: string;
  /** First line of the program's answer to `--version`; undefined: it gave none. */
  version?: string;
  /** Why the app cannot be run, and what to do; undefined: it can be run. */
  problem?: string;
}

/** Milliseconds for which reports are cached, so that repeated calls start no programs. */
const KEPT_MS = 10_000;

/**
 * Returns a function that reports, by name, which apps can be run on this machine. Each program is looked up as for a task
 * and asked for its version, all in parallel. A program is killed after 2 s; reports are cached for 10 s.
 */
export function createAppInspector(options: {
  apps: Apps;
  forwarded: Forwarded;
}): () => Promise<readonly AppReport[]> {
  let latest: { until: number; reports: Promise<readonly AppReport[]> } | undefined;
  return () => {
    if (latest === undefined || performance.now() > latest.until) {
      const reports = inspect();
      const kept = { until: performance.now() + KEPT_MS, reports };
      latest = kept;
      reports.catch(() => {
        if (latest === kept) latest = undefined;
      });
    }
    return latest.reports;
  };

  async function inspect(): Promise<readonly AppReport[]> {
    const home = await mkdtemp(join(tmpdir(), "signalman-apps-"));
    const marker = randomUUID();
    const base = inheritedEnvironment(options.forwarded, { home, tmp: home, work: home });
    const names = Object.keys(options.apps).sort();
    try {
      return await Promise.all(names.map((name) => look(name, options.apps[name] as App, base, marker)));
    } finally {
      // Retries, since a program that was killed at the time limit may still be writing there.
      await rm(home, { recursive: true, force: true, maxRetries: 3 }).catch(() => {});
    }
  }
}

/** Reports the apps of a server that runs no tasks and therefore does not know which of them are installed. */
export function appsElsewhere(apps: Apps): readonly AppReport[] {
  const problem =
    "This server runs no tasks (SIGNALMAN_ROLES) and does not look for apps; ask a server that runs tasks";
  return Object.keys(apps)
    .sort()
    .map((name) => ({ name, app: apps[name] as App, problem }));
}

async function look(name: string, app: App, base: BaseEnvironment, marker: string): Promise<AppReport> {
  const env = { ...base, ...app.env };
  const path = findProgram(app, env.PATH);
  if (path === undefined) {
    const where = app.env?.PATH === undefined ? "the server's PATH" : `its PATH ${app.env.PATH}`;
    const why = pathTrouble(app);
    const problem = `There is no program ${programNames(app)}${why ? `: ${why}` : ` in ${where}; install it`}`;
    return { name, app, problem };
  }
  const packages = familyOf(name).probeEnvironment?.(path) ?? {};
  const { version, trouble } = await probeVersion(path, { ...packages, ...env }, marker);
  const problem = trouble && `${path} cannot be started: ${trouble}; repair or reinstall it`;
  return { name, app, path, version, problem };
}
