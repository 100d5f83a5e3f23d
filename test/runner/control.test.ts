import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createControl, StopError, type StopReason } from "../../src/runner/control.ts";

/** Records the grace periods of kills, in order. */
function program() {
  const graces: number[] = [];
  return { graces, kill: ({ graceMs }: { graceMs: number }) => void graces.push(Math.round(graceMs)) };
}

describe("a control", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
  afterEach(() => void vi.useRealTimers());

  test("aborts its signal with the reason of the first stop", () => {
    const control = createControl();
    expect(control.reason).toBeUndefined();
    control.stop("idle_timeout", 1000);
    expect(control.signal.aborted).toBe(true);
    expect(control.signal.reason).toEqual(new StopError("idle_timeout"));
  });

  test("kills an attached program, and one that is attached after the stop", () => {
    const [early, late] = [program(), program()];
    const control = createControl();
    control.attach(early);
    expect(early.graces).toEqual([]);
    control.stop("user", 5000);
    expect(early.graces).toEqual([5000]);
    vi.advanceTimersByTime(2000);
    control.attach(late);
    expect(late.graces).toEqual([3000]);
  });

  test("lets a repeated stop bring the deadline forward, never put it off", () => {
    const { graces, ...kill } = program();
    const control = createControl();
    control.attach(kill);
    control.stop("user", 5000);
    vi.advanceTimersByTime(1000);
    control.stop("user", 60_000);
    control.stop("user", 2000);
    vi.advanceTimersByTime(9000);
    control.stop("user", 2000);
    expect(graces).toEqual([5000, 4000, 2000, 0]);
  });

  const ORDER: [StopReason, StopReason, StopReason][] = [
    ["run_timeout", "user", "user"],
    ["user", "run_timeout", "user"],
    ["idle_timeout", "run_timeout", "idle_timeout"],
    ["user", "lease_lost", "lease_lost"],
    ["lease_lost", "user", "lease_lost"],
  ];
  test.each(ORDER)("stopped by %s and then by %s has the reason %s", (first, second, reason) => {
    const control = createControl();
    control.stop(first, 0);
    control.stop(second, 0);
    expect(control.reason).toBe(reason);
  });
});
