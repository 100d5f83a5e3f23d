import { existsSync } from "node:fs";
import { findInPath } from "../../files/find-in-path.ts";
import { bubblewrap } from "./bubblewrap.ts";
import type { Enclosure, View } from "./enclosure.ts";
import { enterByPerl } from "./enter.ts";

/** How the programs of this server's tasks are separated from it. */
export type Isolation =
  | { readonly mode: "none" }
  | { readonly mode: "namespaces"; readonly chain: string; enclose(view: Omit<View, "hidden">): Enclosure };

export type Namespaces = Extract<Isolation, { mode: "namespaces" }>;

/** A way to make namespaces. */
export interface Chain {
  name: "bubblewrap" | "perl";
  /** Absolute path of its program. */
  program: string;
}

const CHAINS = {
  bubblewrap: { program: "bwrap", enclose: bubblewrap },
  perl: { program: "perl", enclose: enterByPerl },
} as const;

/** Folders that each isolated program has for itself. */
const PRIVATE = ["/tmp", "/var/tmp", "/dev/shm", "/run/user"];

/** Returns the chains whose programs are installed, the preferred one first. */
export function findChains(path = process.env.PATH ?? "/usr/bin:/bin"): Chain[] {
  const names = Object.keys(CHAINS) as Chain["name"][];
  return names.flatMap((name) => {
    const program = findInPath(CHAINS[name].program, path);
    return program === undefined ? [] : [{ name, program }];
  });
}

/**
 * Creates the isolation by one chain.
 * @param hidden folders of the service that programs see empty
 * @param prefix words that switch to the user of the programs; empty: they run as the server's user
 */
export function isolateBy(
  { name, program }: Chain,
  hidden: readonly string[],
  prefix: readonly string[] = [],
): Namespaces {
  const runtime = ["/run/user"].filter((path) => existsSync(path));
  const isHidden = (path: string) =>
    [...PRIVATE, ...hidden].some((folder) => `${path}/`.startsWith(`${folder}/`));
  return {
    mode: "namespaces",
    chain: name,
    enclose({ cwd, tmp, writable, readOnly }) {
      // Paths that are visible anyway keep the rights that they have on the machine.
      const [own, shared] = [writable, readOnly].map((paths) => [...new Set(paths.filter(isHidden))]) as [
        string[],
        string[],
      ];
      const view = { cwd, tmp, hidden: [...runtime, ...hidden], writable: own, readOnly: shared };
      const { words, hasNamespace } = CHAINS[name].enclose(program, view);
      return { hasNamespace, words: (reportTo) => [...prefix, ...words(reportTo)] };
    },
  };
}
