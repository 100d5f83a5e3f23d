import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { test } from "vitest";
import type { Enclosure, View } from "../../../src/process/isolation/enclosure.ts";
import { type Chain, findChains, isolateBy } from "../../../src/process/isolation/isolation.ts";
import { probeIsolation } from "../../../src/process/isolation/probe.ts";
import { asNobody, isRoot, NOBODY } from "../../support/nobody.ts";

/** Folder of one test file, hidden from its programs: a data folder. Not below /tmp, which each program has for itself. */
export const testRoot = makeRoot();

function makeRoot() {
  const base = process.env.SIGNALMAN_TEST_DATA ?? "/var/lib";
  mkdirSync(base, { recursive: true });
  const path = mkdtempSync(join(base, "signalman-isolation-"));
  chmodSync(path, 0o755);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A file outside of that folder that programs must not read. */
export const hiddenFile = join(dirname(testRoot.path), `${basename(testRoot.path)}.key`);

const isolate = (chain: Chain) =>
  isolateBy(chain, { folders: [testRoot.path], files: [hiddenFile] }, undefined, asNobody);

/** Makes a folder of the user as whom the programs run. */
export function makeOwn(name: string): string {
  const path = join(testRoot.path, name);
  mkdirSync(path, { mode: 0o700 });
  give(path);
  return path;
}

function give(path: string): void {
  if (isRoot) chownSync(path, NOBODY, NOBODY);
}

const probed = findChains().map((chain) => ({
  chain,
  problem: probeIsolation(isolate(chain), join(testRoot.path, "probe"), give),
}));

/** The chains that work on this machine. */
export const chains: Chain[] = probed
  .filter(({ problem }) => problem === undefined)
  .map(({ chain }) => chain);

/** Reports chains that are missing here as skipped tests. */
export function tellMissing(): void {
  for (const { chain, problem } of probed)
    if (problem) test(`${chain.name} works here`, (context) => context.skip(problem));
  if (probed.length === 0)
    test("a chain is installed", (context) => context.skip("neither bubblewrap nor perl is installed"));
}

export function enclose(chain: Chain, view: View): Enclosure {
  return isolate(chain).enclose(view);
}
