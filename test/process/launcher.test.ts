import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { sweepMarked } from "../../src/process/kill-by-marker.ts";
import { createLauncher, LauncherLostError } from "../../src/process/launcher.ts";
import { startProcess } from "../../src/process/process.ts";
import { scan } from "../../src/process/scan.ts";
import { expectNoProcessLeft, fixture, newTask, program, until } from "./harness.ts";

expectNoProcessLeft();

/** Pid of the launcher process: the parent of a program that it starts. */
async function launcherPid(launcher: ReturnType<typeof createLauncher>): Promise<number> {
  const { pid } = await launcher.start({ file: "/bin/sleep", args: ["60"], cwd: "/", env: {} });
  const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  process.kill(pid, "SIGKILL");
  return parent;
}

test("A task goes on without its launcher, and its exit is known", async () => {
  using launcher = createLauncher();
  const task = newTask();
  const pid = await launcherPid(launcher);
  const running = await startProcess(
    launcher,
    task.folder,
    task.marker,
    program("on-request.sh", `${task.folder}/go`, 10),
  );
  await task.says(/half/, "stderr");
  process.kill(pid, "SIGKILL");
  await until(async () => (await scan()).procs.get(pid)?.dead !== false);
  writeFileSync(`${task.folder}/go`, "");
  expect(await running.ended).toEqual({ kind: "code", code: 7 });
});

test("A program is started once, also if its launcher is killed at any moment", async () => {
  using launcher = createLauncher();
  for (let turn = 0; turn < 5; turn++) {
    const pid = await launcherPid(launcher);
    const task = newTask();
    const starting = startProcess(launcher, task.folder, task.marker, program("sh", "-c", "echo once"));
    process.kill(pid, "SIGKILL");
    expect(await (await starting).ended).toEqual({ kind: "code", code: 0 });
    expect(task.text()).toBe("once\n");
  }
});

test("The launcher ends with its server, also if that is killed", async () => {
  const task = newTask();
  const what = { folder: task.folder, marker: task.marker, program: program("sleep", "60") };
  const server = spawn(process.execPath, [fixture("starting-server.ts"), JSON.stringify(what)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(server.stdout, "data");
  const { pid } = await task.recorded("wrapper");
  const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  expect(parent).not.toBe(server.pid);
  server.kill("SIGKILL");
  await until(async () => (await scan()).procs.get(parent)?.dead !== false);
  expect((await task.alive()).length).toBeGreaterThan(0);
  await sweepMarked(task.marker);
});

test("A start that the system refuses is rejected with the system's reason", async () => {
  using launcher = createLauncher();
  const start = (file: string, cwd: string, args: string[] = []) =>
    launcher.start({ file, args, cwd, env: {} });
  await expect(start("/no/such/program", "/")).rejects.toMatchObject({ code: "ENOENT" });
  await expect(start("/bin/true", "/no/such/folder")).rejects.toMatchObject({ code: "ENOENT" });
  await expect(start("/bin/true", "/", ["x".repeat(1 << 22)])).rejects.toMatchObject({ code: "E2BIG" });
  await expect(start("/bin/true", "/", ["a\0b"])).rejects.toMatchObject({ code: "ERR_INVALID_ARG_VALUE" });
});

test("A start is rejected after three launchers have ended", async () => {
  let tries = 0;
  const dying = {
    start: () => {
      tries++;
      return Promise.reject(new LauncherLostError());
    },
    [Symbol.dispose]() {},
  };
  const task = newTask();
  const start = startProcess(dying, task.folder, task.marker, program("true"));
  await expect(start).rejects.toThrow("The launcher process ended before it reported the start of a program");
  expect(tries).toBe(3);
});

test("A launcher that the system could not fork counts as lost, and the next start forks another", async () => {
  const limited = 'ulimit -n 200; exec "$0" "$1"';
  const server = spawn("sh", ["-c", limited, process.execPath, fixture("out-of-descriptors.ts")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  expect(await text(server.stdout)).toBe(
    "The launcher process ended before it reported the start of a program\nexit\n",
  );
});
