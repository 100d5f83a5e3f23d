/*
 * The room process/isolation/ separates the programs of tasks from the service, so that a task can read neither the
 * server's secrets nor the files and processes of other tasks.
 *
 * Each program runs in mount, pid, IPC and user namespaces of the kernel. `isolateBy` (this file) lists the mounts: empty
 * folders over the hidden ones, /dev/null over hidden files, and the task's own folders on top. Two chains create the
 * namespaces: bubblewrap (bubblewrap.ts), or a Perl script where bubblewrap is missing (enter.ts, enter.pl). choose.ts
 * takes the first chain that works; probe.ts tries it and says what the operator can do if it fails.
 *
 * The first process of the pid namespace, its init, stands for all processes of the program (namespace.ts): killing it
 * kills every one of them, whatever they did to their session, parent or environment. sweep-namespace.ts and
 * end-namespace.ts end what a program has left. The room hides files and processes only: the network is shared.
 */

import { existsSync, realpathSync } from "node:fs";
import { findInPath } from "../../files/find-in-path.ts";
import { switchTo, type TaskUser } from "../task-user.ts";
import { bubblewrap } from "./bubblewrap.ts";
import type { Enclosure, Mount, View } from "./enclosure.ts";
import { enterByPerl } from "./enter.ts";

/** How the programs of this server's tasks are separated from it. */
export type Isolation =
  | { readonly mode: "none" }
  | { readonly mode: "namespaces"; readonly chain: string; enclose(view: View): Enclosure };

export type Namespaces = Extract<Isolation, { mode: "namespaces" }>;

/** A program that creates namespaces, and its name in messages: a chain. */
export interface Chain {
  name: "bubblewrap" | "perl";
  /** Absolute path of the program that creates the namespaces. */
  program: string;
}

const CHAINS = {
  bubblewrap: { program: "bwrap", enclose: bubblewrap },
  perl: { program: "perl", enclose: enterByPerl },
} as const;

/** Folders in whose place each isolated program has its own folder for temporary files. */
const TEMPORARY = ["/tmp", "/var/tmp"];
/** Folders that each isolated program finds empty, and has for itself. */
const EMPTY = ["/dev/shm", "/run/user"];

/** Files and folders of the service that isolated programs must not see. */
export interface Hidden {
  /** Folders, which appear empty. */
  folders: readonly string[];
  /** Files, which appear empty. Their links are followed whenever a program starts, since files of secrets are replaced. */
  files: readonly string[];
}

/** Returns the chains whose programs are installed, the preferred one first. */
export function findChains(path = process.env.PATH ?? "/usr/bin:/bin"): Chain[] {
  const names = Object.keys(CHAINS) as Chain["name"][];
  return names.flatMap((name) => {
    const program = findInPath(CHAINS[name].program, path);
    return program === undefined ? [] : [{ name, program }];
  });
}

/**
 * Creates the isolation by one chain. The namespaces are made by the user of the programs.
 * `user`: user of the programs; undefined: the server's
 * `prefix`: words that switch to this user
 */
export function isolateBy(
  { name, program }: Chain,
  hidden: Hidden,
  user?: TaskUser,
  prefix: readonly string[] = user ? switchTo(user) : [],
): Namespaces {
  const all = new Set([...EMPTY.filter((path) => existsSync(path)), ...hidden.folders]);
  // A folder inside of another hidden one needs no mount.
  const empty = [...all].filter((path) => ![...TEMPORARY, ...all].some((folder) => isInside(path, folder)));
  const isHidden = (path: string) =>
    [...TEMPORARY, ...empty].some((folder) => path === folder || isInside(path, folder));
  return {
    mode: "namespaces",
    chain: name,
    enclose({ cwd, tmp, writable, readOnly }) {
      // Paths that are visible anyway keep the rights that they have on the machine.
      const [own, shared] = [new Set(writable.filter(isHidden)), new Set(readOnly.filter(isHidden))];
      const files = hidden.files.filter((path) => existsSync(path)).map((path) => realpathSync(path));
      const mounts: Mount[] = [
        ...TEMPORARY.map((path) => ["bind", tmp, path] as const),
        ...empty.map((path) => ["tmpfs", path] as const),
        ...[...shared].map((path) => ["ro-bind-try", path, path] as const),
        ...[...own].map((path) => ["bind-try", path, path] as const),
        ...files.map((path) => ["ro-bind", "/dev/null", path] as const),
      ];
      const { words, hasNamespace } = CHAINS[name].enclose(program, cwd, mounts);
      return { hasNamespace, owner: user, words: (reportTo) => [...prefix, ...words(reportTo)] };
    },
  };
}

const isInside = (path: string, folder: string) => path !== folder && path.startsWith(`${folder}/`);
