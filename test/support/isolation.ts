import { findChains, type Isolation, isolateBy } from "../../src/process/isolation/isolation.ts";

/** Whether the tests run their tasks in namespaces: `npm run test:isolation` sets it. */
export const isIsolated = process.env.SIGNALMAN_TEST_ISOLATION === "namespaces";

/** Settings of a test's server. */
export const isolationSettings: Record<string, string> = isIsolated
  ? { SIGNALMAN_ISOLATION: "namespaces" }
  : {};

/** Isolation for tests that start programs without a server. */
export function testIsolation(): Isolation {
  const [chain] = findChains();
  if (!isIsolated) return { mode: "none" };
  if (!chain) throw new Error("neither bubblewrap nor perl is installed");
  return isolateBy(chain, { folders: [], files: [] });
}
