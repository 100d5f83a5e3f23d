import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { exitFromStatus } from "../../src/process/exit.ts";
import { expectNoProcessLeft, fixture, newTask, program } from "./harness.ts";

expectNoProcessLeft();

describe("The exit of a program", () => {
  test.each([0, 3, 255])("is its code %i", async (code) => {
    const started = await newTask().start(program("bash", "-c", `exit ${code}`));
    expect(await started.ended).toEqual({ kind: "code", code });
  });

  test.each([
    ["SIGTERM", 143],
    ["SIGKILL", 137],
    ["SIGSEGV", 139],
  ])("is the signal %s by which it died, and the shell says nothing about it", async (signal, code) => {
    const task = newTask();
    const started = await task.start(program("die-by.sh", signal.slice(3)));
    expect(await started.ended).toEqual({ kind: "signal", signal, code });
    expect(task.text("stdout") + task.text("stderr")).toBe("");
  });

  test("is 127 for a command that does not exist", async () => {
    const started = await newTask().start(program("/no/such/command"));
    expect(await started.ended).toEqual({ kind: "code", code: 127 });
  });

  test("is 126 for a file that may not be executed", async () => {
    const started = await newTask().start(program(fixture("starting-server.ts")));
    expect(await started.ended).toEqual({ kind: "code", code: 126 });
  });

  test("is recorded also if the program kills its whole process group", async () => {
    const started = await newTask().start(program("bash", "-c", "kill -9 0"));
    expect(await started.ended).toEqual({ kind: "signal", signal: "SIGKILL", code: 137 });
  });

  test("is the signal if another program kills the leader", async () => {
    const task = newTask();
    const started = await task.start(program("stubborn.sh"));
    await task.says(/ready/);
    const leader = (await task.recorded("leader")).pid;
    process.kill(leader, "SIGKILL");
    expect(await started.ended).toEqual({ kind: "signal", signal: "SIGKILL", code: 137 });
  });

  test("is known also if another program kills the wrapper", async () => {
    const task = newTask();
    const started = await task.start(program("on-request.sh", `${task.folder}/go`, 10));
    await task.says(/half/, "stderr");
    const wrapper = (await task.recorded("wrapper")).pid;
    process.kill(wrapper, "SIGKILL");
    writeFileSync(`${task.folder}/go`, "");
    expect(await started.ended).toEqual({ kind: "code", code: 7 });
    expect(task.text()).toMatch(/\n20\n$/);
  });

  test("is lost if every process that could record it is killed", async () => {
    const task = newTask();
    const started = await task.start(program("stubborn.sh"));
    await task.says(/ready/);
    const session = (await task.recorded("wrapper")).pid;
    spawnSync("pkill", ["-KILL", "-s", String(session)]);
    expect(await started.ended).toEqual({ kind: "lost" });
  });
});

describe("A shell's status", () => {
  test("above 128 is a code if no such signal ends a process", () => {
    expect(exitFromStatus(255)).toEqual({ kind: "code", code: 255 });
    expect(exitFromStatus(128)).toEqual({ kind: "code", code: 128 });
    expect(exitFromStatus(145)).toEqual({ kind: "code", code: 145 }); // SIGCHLD
  });
});
