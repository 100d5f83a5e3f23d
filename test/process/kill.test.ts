import { performance } from "node:perf_hooks";
import { describe, expect, test } from "vitest";
import { isAlive, readProc } from "../../src/process/proc.ts";
import { adoptProcess } from "../../src/process/process.ts";
import { isIsolated } from "../support/isolation.ts";
import { expectNoProcessLeft, newTask, program, until } from "./harness.ts";

expectNoProcessLeft();

const byKill = { kind: "signal", signal: "SIGKILL", code: 137 };

describe("A kill", () => {
  test("sends SIGTERM first, and the program may choose its exit", async () => {
    const task = newTask();
    const started = await task.start(program("polite.sh"));
    await task.says(/ready/);
    started.kill({ graceMs: 20_000 });
    expect(await started.ended).toEqual({ kind: "code", code: 9 });
    expect(task.text()).toMatch(/got TERM\n$/);
  });

  test("with SIGINT to the leader alone spares its children until the leader ends", async () => {
    const task = newTask();
    const started = await task.start(
      program("bash", "-c", "trap '' INT; sh -c 'trap \"echo child\" INT; echo ready; sleep 0.3; sleep 0.3'"),
    );
    await task.says(/ready/);
    started.kill({ signal: "SIGINT", target: "leader", graceMs: 20_000 });
    expect(await started.ended).toEqual({ kind: "code", code: 0 });
    expect(task.text()).toBe("ready\n");
  });

  test("with SIGINT reaches the leader's trap", async () => {
    const task = newTask();
    const started = await task.start(program("polite.sh"));
    await task.says(/ready/);
    started.kill({ signal: "SIGINT", target: "leader", graceMs: 20_000 });
    expect(await started.ended).toEqual({ kind: "code", code: 9 });
    expect(task.text()).toMatch(/got INT\n$/);
  });

  test("ends a program that ignores SIGTERM when the grace period is over", async () => {
    const task = newTask();
    const started = await task.start(program("stubborn.sh"));
    await task.says(/ready/);
    started.kill({ graceMs: 100 });
    expect(await started.ended).toEqual(byKill);
    expect(task.text("stderr")).toBe("");
  });

  test("without a grace period ends all processes at once, also before the program has begun", async () => {
    const started = await newTask().start(program("stubborn.sh"));
    started.kill({ graceMs: 0 });
    expect(await started.ended).toEqual(byKill);
  });

  test("may be repeated with a shorter grace period, not with a longer one", async () => {
    const task = newTask();
    const started = await task.start(program("stubborn.sh"));
    await task.says(/ready/);
    const begin = performance.now();
    started.kill({ graceMs: 60_000 });
    started.kill({ graceMs: 200 });
    started.kill({ graceMs: 60_000 });
    expect(await started.ended).toEqual(byKill);
    expect(performance.now() - begin).toBeLessThan(10_000);
  });

  test("after the end has no effect", async () => {
    const started = await newTask().start(program("true"));
    await started.ended;
    started.kill({ graceMs: 0 });
    started.kill({ graceMs: 10 });
    expect(await started.ended).toEqual({ kind: "code", code: 0 });
  });

  test("ends 200 children in groups and sessions of all kinds", async () => {
    const task = newTask();
    const started = await task.start(program("fork-many.sh", 200));
    await task.says(/ready/);
    await until(async () => (await task.alive()).length > 200);
    started.kill({ graceMs: 0 });
    expect(await started.ended).toEqual(byKill);
    expect(await task.alive()).toEqual([]);
  });

  test.each(["started", "adopted"])("ends chains of processes that fork and exit, when %s", async (how) => {
    const task = newTask();
    const started = await task.start(program("fork-storm.py"));
    await task.says(/ready/);
    if (how === "adopted") started.release();
    const storm = how === "adopted" ? await adoptProcess(task.folder, task.marker) : started;
    storm?.kill({ graceMs: 50 });
    expect(await storm?.ended).toEqual(byKill);
    expect(await task.isEmpty()).toBe(true);
    expect(task.text()).toBe("ready\n");
  });
});

describe("When the leader has ended", () => {
  test("a grandchild in a separate session is ended too", async () => {
    const task = newTask();
    expect(await (await task.start(program("escapee.sh"))).ended).toEqual({ kind: "code", code: 0 });
    expect(await task.alive()).toEqual([]);
  });

  test("a grandchild is found also while it is executing a program and shows no environment", async () => {
    for (let times = 0; times < 25; times++) {
      const task = newTask();
      await (await task.start(program("exec-loop.sh", "start"))).ended;
      expect(await task.isEmpty()).toBe(true);
    }
  });

  test("a process without marker and session that holds the output is ended too", async (context) => {
    context.skip(isIsolated, "the pid that the program prints is that of its namespace");
    const task = newTask();
    const started = await task.start(program("bash", "-c", "( env -i setsid sleep 1000 & echo $! )"));
    const pid = Number((await task.says(/(\d+)\n/))[1]);
    const escapee = { pid, start: readProc(pid)?.start ?? 0 };
    expect(await started.ended).toEqual({ kind: "code", code: 0 });
    expect(isAlive(escapee)).toBe(false);
  });

  test("leftovers that ignore SIGTERM are killed once the grace period of a kill is over", async () => {
    const task = newTask();
    const started = await task.start(
      program("bash", "-c", "setsid bash -c 'trap \"\" TERM; echo ready; sleep 1000' & wait"),
    );
    await task.says(/ready/);
    started.kill({ graceMs: 100 });
    await started.ended;
    expect(await task.alive()).toEqual([]);
  });
});
