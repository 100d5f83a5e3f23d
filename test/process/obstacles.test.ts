import { rmSync, writeFileSync } from "node:fs";
import { beforeEach, describe, expect, test } from "vitest";
import { UnusableFileError } from "../../src/files/regular-file.ts";
import { sweepMarked } from "../../src/process/kill-by-marker.ts";
import { adoptProcess } from "../../src/process/process.ts";
import { punch } from "../../src/process/punch.ts";
import { readEnd } from "../../src/process/read-end.ts";
import { tailSpool } from "../../src/process/tail.ts";
import { isIsolated } from "../support/isolation.ts";
import { OBSTACLES } from "../support/obstacles.ts";
import { expectNoProcessLeft, newTask, program, type Task, until } from "./harness.ts";

expectNoProcessLeft();

const forever = new AbortController().signal;

async function started(task: Task) {
  const running = await task.start(program("on-request.sh", `${task.folder}/go`, 10));
  await task.says(/half/, "stderr");
  return running;
}

const goOn = (task: Task) => writeFileSync(`${task.folder}/go`, "");

async function tailed(folder: string): Promise<void> {
  const from = { stdout: 0, stderr: 0 };
  for await (const _ of tailSpool({ folder, from, ended: Promise.resolve(), signal: forever }));
}

test("A program whose journal has been removed is lost, not started anew", async () => {
  const task = newTask();
  const running = await started(task);
  running.release();
  rmSync(`${task.folder}/run`);
  const adopted = await adoptProcess(task.folder, task.marker);
  expect(await adopted?.ended).toEqual({ kind: "lost" });
  await sweepMarked(task.marker);
  await until(() => task.isEmpty());
});

describe.each(OBSTACLES)("$what", ({ what, put }) => {
  beforeEach((context) =>
    context.skip(isIsolated, "journal and spool are out of reach of a program in namespaces"),
  );

  test("in the place of the journal makes the exit lost, and blocks no server", async () => {
    const task = newTask();
    const running = await started(task);
    rmSync(`${task.folder}/run`);
    put(`${task.folder}/run`);
    goOn(task);
    expect(await running.ended).toEqual({ kind: "lost" });
    expect(task.text("stderr")).toBe("half\nwhole\n");
    const adopted = await adoptProcess(task.folder, task.marker);
    expect(await adopted?.ended).toEqual({ kind: "lost" });
  });

  test("in the place of the journal does not prevent a kill", async () => {
    const task = newTask();
    const running = await started(task);
    rmSync(`${task.folder}/run`);
    put(`${task.folder}/run`);
    running.kill({ signal: "SIGINT", graceMs: 60_000 });
    expect(await running.ended).toEqual({ kind: "lost" });
  });

  // A large file of the same kind is output like any other, read piece by piece.
  const kinds = what.includes("terabyte") ? [] : (["stdout", "stderr"] as const);
  test.each(kinds)("in the place of %s is refused, and the program's exit is known", async (stream) => {
    const task = newTask();
    const running = await started(task);
    const path = `${task.folder}/${stream === "stdout" ? "out" : "err"}`;
    rmSync(path);
    put(path);
    goOn(task);
    expect(await running.ended).toEqual({ kind: "code", code: 7 });
    await expect(tailed(task.folder)).rejects.toThrow(UnusableFileError);
    expect(await readEnd(task.folder, stream, 100)).toEqual(Buffer.alloc(0));
    await punch(task.folder, { stdout: 2 ** 30, stderr: 2 ** 30 });
  });
});
