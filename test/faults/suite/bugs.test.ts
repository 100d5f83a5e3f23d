import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { buildServer, patchedCopy } from "./build.ts";
import { runSuite } from "./run.ts";

/*
 * Tests of the suite: each patch in bugs/ puts one bug into a copy of the source. `npm run test:faults:bugs` shows that the
 * suite finds each of them within its short form; `-t NAME` only one. By default only whether the patches still apply is tested.
 */

const BUGS = join(import.meta.dirname, "bugs");
const patches = readdirSync(BUGS).filter((name) => name.endsWith(".patch"));
const { SIGNALMAN_FAULTS, FAULT_SEED } = process.env;

const withFolder = async (work: (folder: string) => unknown) => {
  const folder = mkdtempSync(join(tmpdir(), "signalman-bugs-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

test("each bug can be put into the source", () =>
  withFolder((folder) => {
    for (const patch of patches)
      expect(() => patchedCopy(join(folder, patch), join(BUGS, patch)), patch).not.toThrow();
  }));

// By hand, since each bug takes as long as the suite itself.
const byHand = SIGNALMAN_FAULTS === "bugs" ? patches : [];
test.for(byHand)("the suite finds %s", { timeout: 600_000 }, async (patch, { annotate }) => {
  await withFolder(async (folder) => {
    const program = await buildServer(folder, join(BUGS, patch));
    const seed = Number(FAULT_SEED ?? 1);
    const { violations } = await runSuite({ program, seed, rounds: 1 });
    console.log(`${patch}: ${violations.length} violations, such as:\n${sample(violations).join("\n")}`);
    await annotate(violations.join("\n"));
    expect(violations.length, patch).toBeGreaterThan(0);
  });
});

/** Returns the first violation of each kind. */
function sample(violations: readonly string[]): string[] {
  return [...Map.groupBy(violations, (violation) => violation.split(":")[0])].flatMap(
    ([, [first = ""]]) => first,
  );
}
