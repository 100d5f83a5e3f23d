import { spawn } from "node:child_process";
import { existsSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { createNamespace, isInhabited, killNamespace } from "../../../src/process/isolation/namespace.ts";
import { sweepMarked } from "../../../src/process/kill-by-marker.ts";
import { isAlive, readProc } from "../../../src/process/proc.ts";
import { adoptProcess } from "../../../src/process/process.ts";
import { journalPath } from "../../../src/process/spool.ts";
import { env, expectNoProcessLeft, newTask, type Task, until } from "../harness.ts";
import { chains, enclose, hiddenFile, makeOwn, tellMissing, testRoot } from "./chains.ts";

expectNoProcessLeft();
tellMissing();
afterAll(() => testRoot.remove());

/** A task's folder with a secret beside it, and a program that runs in namespaces there. */
function enclosed(chain: (typeof chains)[number], script: string, task: Task = newTask()) {
  const own = makeOwn(task.marker);
  const enclosure = enclose(chain, { cwd: own, tmp: own, writable: [own], readOnly: [] });
  const start = () => task.start({ command: "/bin/bash", args: ["-c", script], cwd: own, env, enclosure });
  return { task, own, start };
}

test.each(chains)("$name: exit codes, output and environment are as without", async (chain) => {
  const { task, start } = enclosed(chain, `echo "$SECRET $SIGNALMAN_TASK"; echo bad >&2; exit 7`);
  const running = await start();
  expect(await running.ended).toEqual({ kind: "code", code: 7 });
  expect(task.text()).toBe(`${env.SECRET} ${task.marker}\n`);
  expect(task.text("stderr")).toBe("bad\n");
});

test.each(chains)(
  "$name: a hidden file cannot be read, also when it was replaced by a link",
  async (chain) => {
    const behind = `${hiddenFile}.1`;
    writeFileSync(behind, "secret of the service", { mode: 0o644 });
    rmSync(hiddenFile, { force: true });
    symlinkSync(behind, hiddenFile);
    const { task, start } = enclosed(chain, `cat ${hiddenFile} ${behind}; echo over`);
    await (await start()).ended;
    for (const path of [behind, hiddenFile]) rmSync(path);
    expect(task.text()).toBe("over\n");
  },
);

test.each(chains)("$name: a program that dies by a signal", async (chain) => {
  const running = await enclosed(chain, "kill -TERM $$").start();
  expect(await running.ended).toEqual({ kind: "signal", signal: "SIGTERM", code: 143 });
});

test.each(chains)("$name: the polite signal reaches the program, which may answer it", async (chain) => {
  const { task, start } = enclosed(
    chain,
    "trap 'echo polite; exit 3' TERM; echo ready; while :; do sleep 0.01; done",
  );
  const running = await start();
  await task.says(/ready/);
  running.kill({ graceMs: 60_000 });
  expect(await running.ended).toEqual({ kind: "code", code: 3 });
  expect(task.text()).toBe("ready\npolite\n");
});

test.each(chains)("$name: neither the program nor the init holds the journal or the spool", async (chain) => {
  const { task, start } = enclosed(chain, "readlink /proc/1/fd/* /proc/$$/fd/* | sort -u");
  const running = await start();
  await running.ended;
  expect(readFileSync(journalPath(task.folder), "utf8")).toMatch(/"child-pid": \d+/);
  expect(task.text()).not.toContain(task.folder);
});

test.each(chains)("$name: another server adopts the program, and ends it", async (chain) => {
  const { task, start } = enclosed(chain, "env -i setsid sleep 1000 & echo ready; wait");
  const running = await start();
  await task.says(/ready/);
  running.release();
  const adopted = await adoptProcess(task.folder, task.marker);
  adopted?.kill({ graceMs: 0 });
  expect(await adopted?.ended).toEqual({ kind: "signal", signal: "SIGKILL", code: 137 });
});

test.each(chains)(
  "$name: a program that ended while no server watched is adopted with its exit",
  async (chain) => {
    const { task, start } = enclosed(chain, "read -r _ <go; exit 5");
    const running = await start();
    const wrapper = await task.recorded("wrapper");
    running.release();
    writeFileSync(join(testRoot.path, task.marker, "go"), "\n");
    await until(() => !isAlive(wrapper));
    const adopted = await adoptProcess(task.folder, task.marker);
    expect(adopted && (await adopted.ended).kind).toBe("code");
  },
);

test.each(chains)("$name: a sweep by the marker ends the namespace", async (chain) => {
  const { task, own, start } = enclosed(chain, "touch up; env -i setsid sleep 1000 & env -i sleep 1000");
  const running = await start();
  await until(() => existsSync(join(own, "up")));
  await sweepMarked(task.marker);
  await running.ended;
});

test("a forged report that names a process of the server's own namespace kills nothing", async () => {
  const [inode] = /\d+/.exec(readlinkSync("/proc/self/ns/pid")) ?? [];
  const child = spawn("sleep", ["1000"]);
  try {
    const forged = createNamespace(() => `{"child-pid": ${child.pid}, "pid-namespace": ${inode}}`);
    expect(isInhabited(forged)).toBe(false);
    killNamespace(forged);
    expect(isAlive({ pid: child.pid ?? 0, start: readProc(child.pid ?? 0)?.start ?? 0 })).toBe(true);
  } finally {
    child.kill("SIGKILL");
  }
});
