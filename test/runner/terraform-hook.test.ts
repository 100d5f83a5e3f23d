import { expect, test } from "vitest";
import { familyNameOf } from "../../src/jobs/families/all.ts";
import type { TaskDetails } from "../../src/runner/details.ts";
import { familyHook } from "../../src/runner/hooks/family.ts";
import type { HookContext } from "../../src/runner/hooks.ts";
import type { TaskOutcome } from "../../src/task/types.ts";

const never = new AbortController().signal;
const failed: TaskOutcome = {
  status: "ERROR",
  reason: "EXIT_CODE",
  exitCode: 1,
  signal: null,
  message: "Failed",
};

function context(stderr = "", said: string[] = []): HookContext {
  return {
    taskId: "id",
    app: "tofu",
    commit: { hash: "", message: "" },
    say: (text) => void said.push(text),
    lastErrors: async () => Buffer.from(stderr),
    runScript: () => Promise.reject(new Error("not here")),
  };
}
const messageOf = async (stderr: string, outcome = failed) =>
  (await familyHook.after?.(context(stderr), outcome, undefined, never))?.message;

/** Output of Terraform 1.11, with colors. */
const boxed = (...lines: string[]) =>
  [
    "\x1b[31m╷\x1b[0m\x1b[0m",
    ...lines.map((line) => `\x1b[31m│\x1b[0m \x1b[0m${line}`),
    "\x1b[31m╵\x1b[0m\x1b[0m",
  ].join("\n");
const LOCKED = boxed(
  "\x1b[1m\x1b[31mError: \x1b[0m\x1b[0m\x1b[1mError acquiring the state lock\x1b[0m",
  "",
  "Error message: resource temporarily unavailable",
  "Lock Info:",
  "  ID:        b99c8027-338a-c5b4-fc23-8a8e0184714a",
  "  Path:      /state",
  "  Operation: OperationTypeApply",
  "  Who:       root@vm",
  "  Version:   1.11.4",
  "  Created:   2026-11-24 15:35:02 +0000 UTC",
  "  Info:      ",
);

test("the hook belongs to the Terraform family", () => {
  expect(["terraform", "tofu", "terragrunt"].map(familyNameOf)).toEqual(Array(3).fill("terraform"));
});

test("before a task the hook says what will run, and in which folder", async () => {
  const said: string[] = [];
  const details = {
    template: { name: "projects/p/templates/t", app: "tofu", path: "infra" },
    repository: { name: "projects/p/repositories/r" },
    terraform: { destroy: true },
    inventory: { source: { case: "workspace", value: "staging" } },
  } as TaskDetails;
  await familyHook.before?.(context("", said), details, never);
  expect(said).toEqual([
    "Running projects/p/templates/t: tofu, a plan to destroy everything of infra from projects/p/repositories/r, workspace staging",
  ]);
});

test("a held state lock is reported with its owner and how to break it", async () => {
  expect(await messageOf(LOCKED)).toBe(
    "Failed: the state is locked by root@vm for OperationTypeApply since 2026-11-24 15:35:02 +0000 UTC, " +
      "lock b99c8027-338a-c5b4-fc23-8a8e0184714a. If no process uses that state any more, release the lock with " +
      '"tofu force-unlock b99c8027-338a-c5b4-fc23-8a8e0184714a"',
  );
  expect(await messageOf(boxed("Error: Error acquiring the state lock", "", "Error message: HTTP 423"))).toBe(
    "Failed: the state is locked: HTTP 423",
  );
});

test("a stale plan and any other error are explained in one sentence", async () => {
  expect(await messageOf(boxed("Error: Saved plan is stale"))).toMatch(/^Failed: the plan is stale/);
  expect(await messageOf(boxed("Error: Invalid reference", "", "  on main.tf line 3"))).toBe(
    "Failed: Invalid reference",
  );
  expect(await messageOf("cat: write error: No space left on device")).toMatch(/^Failed: a disk is full/);
  expect(await messageOf("nothing that it knows")).toBe("Failed");
  expect(await messageOf(LOCKED, { ...failed, reason: "STOPPED_BY_USER", status: "STOPPED" })).toBe("Failed");
});
