import { describe, expect, test } from "vitest";
import { outcomeOfExit, outcomeOfFailure, stoppedInstead } from "../../src/runner/outcome.ts";
import type { Exit } from "../../src/task/exit.ts";

const limits = { runTimeoutMs: 90_000, idleTimeoutMs: 1500 };
const code = (n: number): Exit => ({ kind: "code", code: n });
const killed: Exit = { kind: "signal", signal: "SIGKILL", code: 137 };

test("exit code 0 is a success without a message", () => {
  expect(outcomeOfExit(code(0), undefined, limits)).toEqual({
    status: "SUCCESS",
    reason: null,
    exitCode: 0,
    signal: null,
    message: "",
  });
});

test.each([1, 3, 255])("exit code %d is an error that names it", (n) => {
  const outcome = outcomeOfExit(code(n), undefined, limits);
  expect(outcome).toMatchObject({ status: "ERROR", reason: "EXIT_CODE", exitCode: n, signal: null });
  expect(outcome.message).toBe(`The program ended with exit code ${n}`);
});

test("death by a signal is an error with the signal and 128 + n", () => {
  const outcome = outcomeOfExit(killed, undefined, limits);
  expect(outcome).toMatchObject({ status: "ERROR", reason: "SIGNAL", exitCode: 137, signal: "SIGKILL" });
});

test("a program without a recorded exit is LOST, without an exit code", () => {
  const outcome = outcomeOfExit({ kind: "lost" }, undefined, limits);
  expect(outcome).toMatchObject({ status: "ERROR", reason: "LOST", exitCode: null, signal: null });
});

describe("the reason of a stop decides, independent of the exit", () => {
  test.each([code(0), code(3), killed])("a kill makes %j STOPPED", (exit) => {
    const outcome = outcomeOfExit(exit, "user", limits);
    expect(outcome).toMatchObject({ status: "STOPPED", reason: "STOPPED_BY_USER" });
    expect(outcome.exitCode).toBe("code" in exit ? exit.code : null);
  });

  test("a time limit is an error whose message has the limit in seconds", () => {
    expect(outcomeOfExit(killed, "run_timeout", limits)).toMatchObject({
      status: "ERROR",
      reason: "RUN_TIMEOUT",
      exitCode: 137,
      message: "The program ran longer than its run_timeout of 90 s",
    });
    expect(outcomeOfExit(code(0), "idle_timeout", limits)).toMatchObject({
      reason: "IDLE_TIMEOUT",
      message: "The program printed nothing for longer than its idle_timeout of 1.5 s",
    });
  });

  test("a program without a recorded exit after a kill is STOPPED", () => {
    expect(outcomeOfExit({ kind: "lost" }, "user", limits)).toMatchObject({
      status: "STOPPED",
      exitCode: null,
    });
  });
});

test("a failed preparation keeps its message; a stop during it is STOPPED", () => {
  expect(outcomeOfFailure(new Error("no disk"), undefined, limits)).toMatchObject({
    status: "ERROR",
    reason: "PREPARE_FAILED",
    exitCode: null,
    message: "no disk",
  });
  expect(outcomeOfFailure(new Error("aborted"), "user", limits).status).toBe("STOPPED");
  expect(outcomeOfFailure(new Error("aborted"), "run_timeout", limits).reason).toBe("RUN_TIMEOUT");
});

test("a success after a kill request becomes STOPPED and keeps its exit code", () => {
  const outcome = stoppedInstead(outcomeOfExit(code(0), undefined, limits));
  expect(outcome).toMatchObject({ status: "STOPPED", reason: "STOPPED_BY_USER", exitCode: 0 });
});
