import { expect, test } from "vitest";
import { familyNameOf } from "../../src/jobs/families/all.ts";
import type { TaskDetails } from "../../src/runner/details.ts";
import { familyHook } from "../../src/runner/hooks/family.ts";
import { type Hook, type HookContext, runAfter, runBefore } from "../../src/runner/hooks.ts";
import type { TaskOutcome } from "../../src/task/types.ts";

const failed = (exitCode: number | null): TaskOutcome => ({
  status: "ERROR",
  reason: "EXIT_CODE",
  exitCode,
  signal: null,
  message: "It failed",
});
const details = {
  template: { name: "projects/p/templates/t", app: "bash", path: "x.sh" },
  repository: { name: "projects/p/repositories/r" },
} as TaskDetails;
const never = new AbortController().signal;
const signals = { stop: never, shutdown: never };

/** Context of a run that collects the lines said. */
function context(app = "bash"): HookContext & { said: string[] } {
  const said: string[] = [];
  return {
    taskId: "id",
    app,
    said,
    commit: { hash: "", message: "" },
    say: (text) => void said.push(text),
    lastErrors: async () => Buffer.alloc(0),
    runScript: () => Promise.reject(new Error("not here")),
  };
}

/** Hook that records its calls in `calls`. */
function noting(calls: string[], name: string, appliesTo: Hook["appliesTo"] = () => true): Hook {
  return {
    name,
    appliesTo,
    async before() {
      calls.push(`before ${name}`);
    },
    async after(_, outcome) {
      calls.push(`after ${name}`);
      return { ...outcome, message: `${outcome.message} ${name}` };
    },
  };
}

test("hooks run in order before a task and in reverse after it, each on the outcome of the one before", async () => {
  const calls: string[] = [];
  const hooks = [noting(calls, "a"), noting(calls, "b"), noting(calls, "c")];
  await runBefore(hooks, context(), details, never);
  const { message } = await runAfter(hooks, context(), failed(1), details, signals);
  expect(calls).toEqual(["before a", "before b", "before c", "after c", "after b", "after a"]);
  expect(message).toBe("It failed c b a");
});

test("a hook runs for its own apps only", async () => {
  const calls: string[] = [];
  const hooks = [
    noting(calls, "bash", (app) => app === "bash"),
    noting(calls, "perl", (app) => app === "perl"),
  ];
  await runBefore(hooks, context("perl"), details, never);
  await runAfter(hooks, context("perl"), failed(1), details, signals);
  expect(calls).toEqual(["before perl", "after perl"]);
});

test("an error of a hook before the task ends the task, and no later hook runs", async () => {
  const calls: string[] = [];
  const broken: Hook = {
    name: "x",
    appliesTo: () => true,
    before: () => Promise.reject(new Error("no key")),
  };
  const running = runBefore([broken, noting(calls, "later")], context(), details, never);
  await expect(running).rejects.toThrow("no key");
  expect(calls).toEqual([]);
});

test("a stop between two hooks ends preparation with its reason", async () => {
  const stop = new AbortController();
  const calls: string[] = [];
  const stopping: Hook = {
    name: "x",
    appliesTo: () => true,
    before: async () => stop.abort(new Error("stopped")),
  };
  const running = runBefore([stopping, noting(calls, "later")], context(), details, stop.signal);
  await expect(running).rejects.toThrow("stopped");
  expect(calls).toEqual([]);
});

test("a hook that fails after the task is reported in the log and changes nothing", async () => {
  const calls: string[] = [];
  const broken: Hook = {
    name: "mail",
    appliesTo: () => true,
    after: () => Promise.reject(new Error("no server")),
  };
  const said = context();
  const outcome = await runAfter(
    [noting(calls, "a"), broken, noting(calls, "b")],
    said,
    failed(1),
    details,
    signals,
  );
  expect(outcome).toEqual({ ...failed(1), message: "It failed b a" });
  expect(said.said).toEqual(["Hook mail failed: no server"]);
});

test("a stop ends the hook that runs after a success, and those after it run for a stopped task", async () => {
  const stop = new AbortController();
  const seen: string[] = [];
  const hangs: Hook = {
    name: "hangs",
    appliesTo: () => true,
    async after(_, __, ___, signal) {
      stop.abort(new Error("killed"));
      signal.throwIfAborted();
      throw new Error("it was not stopped");
    },
  };
  const sees: Hook = {
    name: "sees",
    appliesTo: () => true,
    async after(_, outcome, __, signal) {
      seen.push(outcome.status);
      signal.throwIfAborted();
      return outcome;
    },
  };
  const said = context();
  const success: TaskOutcome = { ...failed(0), status: "SUCCESS", reason: null };
  const outcome = await runAfter([sees, hangs], said, success, details, {
    stop: stop.signal,
    shutdown: never,
  });
  expect(outcome).toMatchObject({ status: "STOPPED", reason: "STOPPED_BY_USER" });
  expect(seen).toEqual(["STOPPED"]);
  expect(said.said).toEqual(["Hook hangs failed: killed"]);
});

test("a shutdown ends all hooks after a task with its reason", async () => {
  const shutdown = new AbortController();
  const calls: string[] = [];
  const goes: Hook = {
    name: "goes",
    appliesTo: () => true,
    async after() {
      shutdown.abort(new Error("the server goes"));
      throw new Error("something else");
    },
  };
  const ending = runAfter([noting(calls, "later"), goes], context(), failed(1), details, {
    stop: never,
    shutdown: shutdown.signal,
  });
  await expect(ending).rejects.toThrow("the server goes");
  expect(calls).toEqual([]);
});

test("the shell hook applies to every app whose family has no other hook", () => {
  expect(["bash", "sh", "python", "perl"].map(familyNameOf)).toEqual(Array(4).fill("shell"));
});

test("the shell hook says what will run", async () => {
  const said = context();
  await familyHook.before?.(said, details, never);
  expect(said.said).toEqual(["Running projects/p/templates/t: bash x.sh from projects/p/repositories/r"]);
});

test("the shell hook explains the exit codes that shells give a meaning, for failed tasks only", async () => {
  const after = async (outcome: TaskOutcome) =>
    (await runAfter([familyHook], context(), outcome, details, signals)).message;
  expect(await after(failed(127))).toMatch(/^It failed: a command was not found/);
  expect(await after(failed(126))).toMatch(/could not be executed/);
  expect(await after(failed(137))).toMatch(/out of memory/);
  expect(await after(failed(1))).toBe("It failed");
  expect(await after(failed(null))).toBe("It failed");
  expect(await after({ ...failed(137), status: "STOPPED" })).toBe("It failed");
});
