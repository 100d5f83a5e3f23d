import { readFileSync, statSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { expectNoProcessLeft, fixture, newTask, program, type Task, until } from "./harness.ts";

expectNoProcessLeft();

/** Stat line of a process; empty if it has ended. */
function stat(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return "";
  }
}
const isStopped = (pid: number) => / \(cat\) T /.test(stat(pid));

async function stoppedPumps(task: Task): Promise<void> {
  await until(async () => (await task.alive()).filter(isStopped).length === 2);
}

test("A pause blocks the writer, and after the resume no output is missing", async () => {
  const task = newTask();
  const bytes = fixture("bytes.py");
  const script = `${bytes} block 2 1000000; until [ -e "$0" ]; do sleep 0.01; done; exec ${bytes} block 298 1000000`;
  const started = await task.start(program("bash", "-c", script, `${task.folder}/go`));
  const size = () => statSync(`${task.folder}/out`).size;
  await until(() => size() === 2_000_000);
  started.pause();
  await stoppedPumps(task);
  writeFileSync(`${task.folder}/go`, "");
  const leader = await task.recorded("leader");
  await until(() => / \(bytes\.py\) S /.test(stat(leader.pid))); // blocked in its write
  expect(size()).toBe(2_000_000);
  started.resume();
  expect(await started.ended).toEqual({ kind: "code", code: 0 });
  expect(size()).toBe(300_000_000);
});

test("A paused process can be killed, and its output arrives", async () => {
  const task = newTask();
  const started = await task.start(program("fork-many.sh", 3));
  await task.says(/ready/);
  started.pause();
  await stoppedPumps(task);
  started.kill({ graceMs: 20 });
  expect(await started.ended).toEqual({ kind: "signal", signal: "SIGTERM", code: 143 });
});

test("A pause right after the start works, and the end waits for the resume", async () => {
  const task = newTask();
  const started = await task.start(program("on-request.sh", `${task.folder}/go`, 10));
  started.pause();
  await stoppedPumps(task);
  writeFileSync(`${task.folder}/go`, "");
  await until(() => /^exit 7$/m.test(readFileSync(`${task.folder}/run`, "utf8")));
  expect(task.text()).not.toContain("20");
  started.resume();
  expect(await started.ended).toEqual({ kind: "code", code: 7 });
  expect(task.text()).toMatch(/\n20\n$/);
});
