import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { buildServer } from "./build.ts";
import { runSuite } from "./run.ts";

/*
 * Three servers on one PostgreSQL under load and faults. `FAULT_SEED=7 npx vitest run test/faults/suite` draws other
 * faults, or repeats those of a run; `SIGNALMAN_FAULTS=long` makes each fault strike 20 times. `FAULT_ONLY='^SIGKILL$' FAULT_ROUNDS=500`: a fault alone.
 * `FAULT_LOAD='{ "open": 50, "limit": 50, "lines": 400 }'`: more tasks at once.
 */

const { FAULT_SEED, FAULT_ROUNDS, FAULT_ONLY, FAULT_LOAD, SIGNALMAN_FAULTS } = process.env;
const only = FAULT_ONLY === undefined ? undefined : new RegExp(FAULT_ONLY);
const load = FAULT_LOAD === undefined ? undefined : JSON.parse(FAULT_LOAD);
const seed = Number(FAULT_SEED ?? (SIGNALMAN_FAULTS === "long" ? Date.now() % 1_000_000 : 1));
const rounds = Number(FAULT_ROUNDS ?? (SIGNALMAN_FAULTS === "long" ? 20 : 1));

test("three servers under load and faults keep every promise", { timeout: 6 * 3600_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "signalman-faults-"));
  try {
    const program = await buildServer(folder, process.env.FAULT_PATCH);
    const { violations, tasks, events, refusals, faults } = await runSuite({
      program,
      seed,
      rounds,
      only,
      load,
    });
    const refused = [...refusals].map(([code, times]) => `${code} ${times}`).join(", ");
    console.log(
      `${faults.join("\n")}\nFAULT_SEED=${seed}: ${tasks} tasks, ${events} events, refusals: ${refused}`,
    );
    expect(violations, `FAULT_SEED=${seed}`).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
