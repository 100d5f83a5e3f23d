import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { abandon, attemptLines, createAttempt } from "../../src/process/journal.ts";
import { scan } from "../../src/process/scan.ts";
import { prepareSpool } from "../../src/process/spool.ts";
import { startWrapper } from "../../src/process/wrapper.ts";
import { expectNoProcessLeft, launcher, newTask, program } from "./harness.ts";

expectNoProcessLeft();

test("The program gets exactly the given environment, the working directory and the task's marker", async () => {
  const task = newTask();
  await (await task.start(program("/usr/bin/env"))).ended;
  const ofBash = /^(SHLVL|_)=/; // where sh is bash, it adds these
  const lines = task
    .text()
    .trim()
    .split("\n")
    .sort()
    .filter((line) => !ofBash.test(line));
  expect(lines).toEqual([
    "PATH=/usr/bin:/bin",
    `PWD=${tmpdir()}`,
    "SECRET=s3cret",
    `SIGNALMAN_TASK=${task.marker}`,
  ]);
});

test("The program has default signal dispositions, an empty stdin and three descriptors", async () => {
  const task = newTask();
  const script = "cat /proc/self/status; readlink /proc/self/fd/[0-9]; cat";
  await (await task.start(program("sh", "-c", script))).ended;
  expect(task.text()).toMatch(/SigIgn:\t0+\n/);
  expect(task.text()).toMatch(/SigBlk:\t0+\n/);
  expect(task.text()).toMatch(/\/dev\/null\npipe:\[\d+\]\npipe:\[\d+\]\n$/);
});

test("Arguments arrive unchanged", async () => {
  const task = newTask();
  const args = ["", "a b", "$HOME", "'\"\\", "-n", "ünï\n2"];
  await (await task.start(program("printf", "<%s>", ...args))).ended;
  expect(task.bytes().toString()).toBe(args.map((arg) => `<${arg}>`).join(""));
});

test("The pumps show no secret and do not carry the task's marker", async () => {
  const task = newTask();
  const started = await task.start(program("on-request.sh", `${task.folder}/go`, 1));
  await task.says(/half/, "stderr");
  const snapshot = await scan();
  const pumps = [...snapshot.procs.values()].filter((proc) => snapshot.pumpMarker(proc) === task.marker);
  const environments = pumps.map(({ pid }) => readFileSync(`/proc/${pid}/environ`, "utf8"));
  expect(environments).toHaveLength(2);
  for (const environment of environments) expect(environment).not.toMatch(/SECRET|SIGNALMAN_TASK/);
  writeFileSync(`${task.folder}/go`, "");
  await started.ended;
});

test("The spool is readable by its owner only", async () => {
  const task = newTask();
  await (await task.start(program("true"))).ended;
  for (const file of ["out", "err", "run"])
    expect(statSync(`${task.folder}/${file}`).mode & 0o777).toBe(0o600);
});

test("A wrapper that comes after its attempt was abandoned does not start the program", async () => {
  const task = newTask();
  const attempt = createAttempt(task.marker);
  prepareSpool(task.folder, attemptLines(attempt, false));
  expect(abandon(task.folder, attempt)).toBe(true);
  const wrapper = await startWrapper(launcher, task.folder, attempt, program("touch", `${task.folder}/ran`));
  expect(await wrapper.ended).toBe("exit");
  expect(existsSync(`${task.folder}/ran`)).toBe(false);
});

test("A wrapper that comes after a newer attempt does not start the program", async () => {
  const task = newTask();
  await (await task.start(program("true"))).ended;
  const late = createAttempt(task.marker);
  const wrapper = await startWrapper(launcher, task.folder, late, program("touch", `${task.folder}/ran`));
  expect(await wrapper.ended).toBe("exit");
  expect(existsSync(`${task.folder}/ran`)).toBe(false);
});

test("A missing working directory is an error that names it", async () => {
  const task = newTask();
  const start = task.start({ ...program("true"), cwd: "/no/such/directory" });
  await expect(start).rejects.toThrow("there is no folder /no/such/directory");
});

test("A second start in the same folder begins with an empty spool", async () => {
  const task = newTask();
  await (await task.start(program("echo", "one"))).ended;
  await (await task.start(program("echo", "two"))).ended;
  expect(task.text()).toBe("two\n");
});

test("A spool folder that does not exist is created", async () => {
  const task = newTask();
  rmSync(task.folder, { recursive: true });
  expect(await (await task.start(program("true"))).ended).toEqual({ kind: "code", code: 0 });
  mkdirSync(task.folder, { recursive: true });
});
