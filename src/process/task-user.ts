import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import type { Owner } from "../files/owned.ts";
import type { Enclosure } from "./isolation/enclosure.ts";

/** A user of this machine as whom the programs of tasks run, in place of the server's user, who is root. */
export interface TaskUser extends Owner {
  readonly name: string;
  /** Ids of all groups of the user. */
  readonly groups: readonly number[];
}

/** Program of util-linux that runs another one as a user. In contrast to it, su and runuser open a session. */
const SETPRIV = ["/usr/bin/setpriv", "/bin/setpriv"].find((path) => existsSync(path)) ?? "setpriv";

/** Returns the words that, put before a command of root, run it as a user with all groups of that user. */
export function switchTo({ uid, gid, groups }: TaskUser): string[] {
  return [
    SETPRIV,
    `--reuid=${uid}`,
    `--regid=${gid}`,
    groups.length > 0 ? `--groups=${groups.join()}` : "--clear-groups",
    "--inh-caps=-all",
    "--",
  ];
}

/** Returns how a program runs as a user and is not isolated otherwise; undefined: it runs as the server's user. */
export function asUser(user: TaskUser | undefined): Enclosure | undefined {
  return user && { hasNamespace: false, owner: user, words: () => switchTo(user) };
}

/** Runs a shell script as a user to its end and returns its output. @throws Error with the message of the system or the script */
export function askAsUser(user: TaskUser, script: string, args: readonly string[]): string {
  const [command = "", ...words] = [...switchTo(user), "/bin/sh", "-c", script, "sh", ...args];
  const env = { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C" };
  const ran = spawnSync(command, words, { cwd: "/", env, encoding: "utf8", timeout: 30_000 });
  if (ran.error) throw ran.error;
  if (ran.status === 0) return ran.stdout;
  throw new Error(ran.stderr.trim() || `it ended with ${ran.signal ?? `exit code ${ran.status}`}`);
}
