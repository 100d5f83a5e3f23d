import { join } from "node:path";
import type { CheckOut } from "../../src/git/check-out.ts";
import type { Git, GitOptions } from "../../src/git/client.ts";
import { createGit } from "../../src/git/client.ts";
import { createMirrors, type MirrorOptions, type Mirrors } from "../../src/git/mirrors.ts";
import type { HostKeys } from "../../src/git/ssh-options.ts";

/** Default options of a check-out for most tests. */
export const PLAIN = {
  gitBranch: "",
  commit: "",
  access: { kind: "none" },
  key: "",
  depth: 0,
  copyObjects: false,
  lfs: false,
  skipSubmodules: false,
  say() {},
} satisfies Partial<CheckOut>;

interface Choices extends Partial<MirrorOptions> {
  marker?: string;
  hostKeys?: HostKeys;
  env?: GitOptions["env"];
}

/** Makes mirrors that no other task borrows from. */
export function makeMirrors(choices: Pick<MirrorOptions, "root"> & Partial<MirrorOptions>): Mirrors {
  return createMirrors({
    idleMs: 60_000,
    retryMs: [10, 20],
    tasks: async () => [],
    onDamaged() {},
    ...choices,
  });
}

/** Makes a git for one test, with mirrors and known hosts in the folder `data`, which need not exist. */
export function makeGit(data: string, choices: Choices = {}): Git & Pick<Mirrors, "removeUnused"> {
  const { marker = "marker" } = choices;
  const mirrors = makeMirrors({ root: join(data, "mirrors"), ...choices });
  const git = createGit({
    mirrors,
    ssh: { hostKeys: choices.hostKeys ?? "accept-new", knownHosts: join(data, "known_hosts") },
    env: choices.env ?? { PATH: process.env.PATH ?? "" },
    marker,
    enclose: () => undefined,
    onMirror() {},
    onFolder() {},
  });
  return { ...git, removeUnused: mirrors.removeUnused };
}
