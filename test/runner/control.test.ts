import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createControl, type StopReason, StopRequested } from "../../src/runner/control.ts";

/** Grace periods that a program was given, in order. */
function program() {
  const graces: number[] = [];
  return { graces, kill: ({ graceMs }: { graceMs: number }) => void graces.push(Math.round(graceMs)) };
}

describe("a control", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
  afterEach(() => void vi.useRealTimers());

  test("aborts its signal by the first stop, with the reason", () => {
    const control = createControl();
    expect(control.reason).toBeUndefined();
    control.stop("idle_timeout", 1000);
    expect(control.signal.aborted).toBe(true);
    expect(control.signal.reason).toEqual(new StopRequested("idle_timeout"));
  });

  test("ends a program that is attached, and one that is attached later at once", () => {
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

  test("a repeated stop may shorten the deadline, never lengthen it", () => {
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
  test.each(ORDER)("of %s and then %s the reason is %s", (first, second, reason) => {
    const control = createControl();
    control.stop(first, 0);
    control.stop(second, 0);
    expect(control.reason).toBe(reason);
  });
});
