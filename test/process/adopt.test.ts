import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { sweepMarked } from "../../src/process/kill-by-marker.ts";
import { adoptProcess, startProcess } from "../../src/process/process.ts";
import type { ProgramSpec } from "../../src/process/wrapper.ts";
import { isIsolated } from "../support/isolation.ts";
import {
  env,
  expectNoProcessLeft,
  fixture,
  launcher,
  newTask,
  program,
  type Task,
  until,
} from "./harness.ts";

expectNoProcessLeft();

const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i + 1}\n`).join("");

async function startInServer(task: Task, what: ProgramSpec): Promise<ChildProcess> {
  const request = JSON.stringify({ folder: task.folder, marker: task.marker, program: what });
  const server = spawn(process.execPath, [fixture("starting-server.ts"), request], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(server.stdout as NodeJS.ReadableStream, "data");
  return server;
}

async function killServer(server: ChildProcess): Promise<void> {
  server.kill("SIGKILL");
  await once(server, "exit");
}

describe("After the server was killed, the next server", () => {
  test("adopts the process, with every byte and the exit", async () => {
    const task = newTask();
    const server = await startInServer(task, program("on-request.sh", `${task.folder}/go`, 20_000));
    await task.says(/half/, "stderr");
    await killServer(server);
    const adopted = await adoptProcess(task.folder, task.marker);
    writeFileSync(`${task.folder}/go`, "");
    expect(await adopted?.ended).toEqual({ kind: "code", code: 7 });
    expect(task.text()).toBe(numbers(40_000));
    expect(task.text("stderr")).toBe("half\nwhole\n");
  });

  test("adopts a process that has ended in between", async () => {
    const task = newTask();
    const server = await startInServer(task, program("on-request.sh", `${task.folder}/go`, 10));
    await killServer(server);
    writeFileSync(`${task.folder}/go`, "");
    await until(() => /^exit/m.test(readFileSync(`${task.folder}/run`, "utf8")));
    await until(async () => (await task.alive()).length === 0);
    const adopted = await adoptProcess(task.folder, task.marker);
    expect(await adopted?.ended).toEqual({ kind: "code", code: 7 });
    expect(task.text()).toBe(numbers(20));
  });

  test("can kill the process", async () => {
    const task = newTask();
    const server = await startInServer(task, program("fork-many.sh", 9));
    await task.says(/ready/);
    await killServer(server);
    const adopted = await adoptProcess(task.folder, task.marker);
    adopted?.kill({ graceMs: 0 });
    expect(await adopted?.ended).toEqual({ kind: "signal", signal: "SIGKILL", code: 137 });
  });

  test("resumes pumps that were stopped", async () => {
    const task = newTask();
    const server = await startInServer(task, program("on-request.sh", `${task.folder}/go`, 20_000));
    await task.says(/half/, "stderr");
    await killServer(server);
    const pumps = await task.pumps();
    expect(pumps).toHaveLength(2);
    for (const pid of pumps) process.kill(pid, "SIGSTOP");
    const adopted = await adoptProcess(task.folder, task.marker);
    writeFileSync(`${task.folder}/go`, "");
    expect(await adopted?.ended).toEqual({ kind: "code", code: 7 });
    expect(task.text()).toBe(numbers(40_000));
  });

  test("sweeps processes of its preparation by their marker", async () => {
    const task = newTask();
    const left = spawn("setsid", ["bash", "-c", "sleep 1000 & setsid sleep 1000"], {
      env: { ...env, SIGNALMAN_TASK: task.marker },
      stdio: "ignore",
    });
    await until(async () => (await task.alive()).length >= 3);
    const gone = once(left, "exit");
    await sweepMarked(task.marker);
    expect(await task.alive()).toEqual([]);
    await gone;
  });
});

describe("An adoption", () => {
  test("of a folder in which no program was started returns undefined", async () => {
    const task = newTask();
    expect(await adoptProcess(task.folder, task.marker)).toBeUndefined();
    expect(await adoptProcess(`${task.folder}/missing`, task.marker)).toBeUndefined();
  });

  test("that finds no start keeps a late wrapper from starting the program", async () => {
    const task = newTask();
    await (await task.start(program("true"))).ended;
    const [first] = readFileSync(`${task.folder}/run`, "utf8").split("\n");
    writeFileSync(`${task.folder}/run`, `${first}\n`); // as if the server had died before the spawn
    expect(await adoptProcess(task.folder, task.marker)).toBeUndefined();
    expect(await adoptProcess(task.folder, task.marker)).toBeUndefined();
    appendFileSync(`${task.folder}/run`, `started ${first?.split(" ")[1]}\n`);
    expect(await adoptProcess(task.folder, task.marker)).toBeUndefined();
  });

  test("after a reboot returns the recorded exit, or lost", async () => {
    const task = newTask();
    await (await task.start(program("bash", "-c", "exit 4"))).ended;
    const journal = readFileSync(`${task.folder}/run`, "utf8").replace(
      /^(attempt \S+ \S+) \S+/,
      "$1 another-boot",
    );
    writeFileSync(`${task.folder}/run`, journal);
    expect(await (await adoptProcess(task.folder, task.marker))?.ended).toEqual({ kind: "code", code: 4 });
    writeFileSync(`${task.folder}/run`, journal.replace(/^exit.*\n/m, ""));
    expect(await (await adoptProcess(task.folder, task.marker))?.ended).toEqual({ kind: "lost" });
  });

  test("does not touch a process that reuses the pid of the wrapper", async (context) => {
    context.skip(isIsolated, "it writes the journal of a program without namespaces");
    const task = newTask();
    await (await task.start(program("true"))).ended;
    const stranger = spawn("sleep", ["1000"], { detached: true, stdio: "ignore" });
    const [attempt, started] = readFileSync(`${task.folder}/run`, "utf8").split("\n");
    const fields = readFileSync(`/proc/${stranger.pid}/stat`, "utf8").trim().split(" ");
    fields[21] = String(Number(fields[21]) - 1); // same pid, other start time
    const line = fields.join(" ");
    writeFileSync(`${task.folder}/run`, `${attempt}\n${started}\nwrapper ${line}\nleader ${line}\n`);
    const adopted = await adoptProcess(task.folder, task.marker);
    adopted?.kill({ graceMs: 0 });
    expect(await adopted?.ended).toEqual({ kind: "lost" });
    expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
    stranger.kill("SIGKILL");
    expect((await once(stranger, "exit"))[1]).toBe("SIGKILL");
  });

  test("of another task's folder is rejected", async () => {
    const task = newTask();
    await (await task.start(program("true"))).ended;
    await expect(adoptProcess(task.folder, "other")).rejects.toThrow("the folder belongs to task");
  });
});

test("A released process runs on and can be adopted", async () => {
  const task = newTask();
  const started = await startProcess(
    launcher,
    task.folder,
    task.marker,
    program("on-request.sh", `${task.folder}/go`, 10),
  );
  await task.says(/half/, "stderr");
  started.kill({ graceMs: 60_000, signal: "SIGINT", target: "leader" });
  started.release();
  expect((await task.alive()).length).toBeGreaterThan(4);
  const adopted = await adoptProcess(task.folder, task.marker);
  writeFileSync(`${task.folder}/go`, "");
  expect(await adopted?.ended).toEqual({ kind: "code", code: 7 });
});
