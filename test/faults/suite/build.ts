import { execFileSync } from "node:child_process";
import { cpSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "../../support/build-program.ts";

const PROJECT = fileURLToPath(new URL("../../../", import.meta.url));
const SUITE = "test/faults/suite";

/** Seconds that a lease lasts in the suite's servers, so that faults can outlast it. */
export const LEASE_SECONDS = 6;

/** Changes of the source for the suite: `[file, text, replacement]`. */
const CHANGES: readonly (readonly [string, string, string])[] = [
  ["src/store/tasks/leases.ts", "LEASE_SECONDS = 30", `LEASE_SECONDS = ${LEASE_SECONDS}`],
];

/**
 * Builds the server of the suite and returns its path: failpoints that can be armed, a clock that can be shifted, short leases.
 * `patch`: a bug to put in; the checkout stays as it is.
 */
export async function buildServer(folder: string, patch?: string): Promise<string> {
  const root = patch === undefined ? PROJECT : patchedCopy(join(folder, "source"), patch);
  const program = join(folder, "program");
  const missing = new Set(CHANGES);
  await bundle(program, {
    root,
    input: { serve: `${SUITE}/serve.ts` },
    change(code, path) {
      if (path === "src/async/failpoint.ts") return `export * from "${root}/${SUITE}/armed-failpoint.ts";`;
      for (const change of CHANGES.filter(([file, text]) => file === path && code.includes(text))) {
        missing.delete(change);
        return code.replace(change[1], change[2]);
      }
      return code;
    },
  });
  if (missing.size > 0) throw new Error(`The source has changed; not found: ${[...missing].join("; ")}`);
  return join(program, "serve.js");
}

/** Copies the source and applies a patch. @throws Error if the patch does not apply. */
export function patchedCopy(copy: string, patch: string): string {
  for (const part of ["src", "gen", "bin", "package.json", "test/support", SUITE])
    cpSync(join(PROJECT, part), join(copy, part), { recursive: true });
  symlinkSync(join(PROJECT, "node_modules"), join(copy, "node_modules"));
  execFileSync("git", ["apply", "--whitespace=nowarn", "-C1", patch], {
    cwd: copy,
    stdio: ["ignore", "ignore", "pipe"],
  });
  return copy;
}
