import { copyFileSync, readFileSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { carry } from "../../src/process/carried-environment.ts";
import { isIsolated } from "../support/isolation.ts";
import { expectNoProcessLeft, newTask, program } from "./harness.ts";

expectNoProcessLeft();

/** Variables that a shell overwrites, refuses, changes or drops, and values that look like shell syntax. */
const ODD: Record<string, string> = {
  PATH: "/usr/bin:/bin",
  OPTIND: "abc",
  IFS: "/n",
  PPID: "none",
  UID: "-1",
  PS4: "$(exit 3)",
  ENV: "/dev/zero",
  BASH_ENV: "/dev/zero",
  SHELLOPTS: "noexec",
  BASHOPTS: "nonsense",
  POSIXLY_CORRECT: "yes",
  LINENO: "x",
  OLDPWD: "relative",
  _: "under score",
  MAILPATH: "?",
  LC_ALL: "xx_YY.nonsense",
  LD_PRELOAD: "",
  "BASH_FUNC_cat%%": "() { echo shadowed; }",
  "BASH_FUNC_read%%": "() { :; }",
  "no identifier": "1",
  "a.b-c": "2",
  "-i": "3",
  "1st": "4",
  ü: "5",
  EMPTY: "",
  SPACES: "  two  ",
  LINES: "one\ntwo\n",
  QUOTES: `'"\\$HOME $(id) \`id\` #`,
  EQUALS: "=a=b",
  BYTES: "\u{1f512}\t\u0001",
  // Names of the wrapper's own variables.
  folder: "f",
  attempt: "a",
  start: "s",
  carried: "c",
  line: "l",
  mine: "",
  e0: "E",
  c0: "C",
  SIGNALMAN_PUMP: "p",
  SIGNALMAN_TASK: "another's",
};

test("Every variable reaches the program byte for byte, also those that a shell changes", async () => {
  const task = newTask();
  const what = { ...program("/bin/cat", "/proc/self/environ"), env: ODD };
  expect(await (await task.start(what)).ended).toEqual({ kind: "code", code: 0 });
  const got = task.bytes().toString("utf8").split("\0").slice(0, -1).sort();
  const given = { ...ODD, PWD: tmpdir(), SIGNALMAN_TASK: task.marker };
  expect(got).toEqual(
    Object.entries(given)
      .map(([name, value]) => `${name}=${value}`)
      .sort(),
  );
  expect(task.text("stderr")).toBe("");
});

test("No command line above the program shows a variable", async (context) => {
  context.skip(isIsolated, "a program in namespaces sees no process above its init");
  const task = newTask();
  const script = `pid=$$; while [ "$pid" -gt 1 ]; do
    tr '\\0' ' ' </proc/$pid/cmdline; echo; read -r _ _ _ pid _ </proc/$pid/stat; done`;
  await (await task.start(program("sh", "-c", script))).ended;
  expect(task.text()).toMatch(/signalman: /);
  expect(task.text()).not.toMatch(/s3cret/);
});

test("ps shows a wrapper as its task's title, and nothing else", async () => {
  const task = newTask();
  const running = await task.start({ ...program("sleep", "60"), title: "demo/0195" });
  const { pid } = await task.recorded("wrapper");
  const title = readFileSync(`/proc/${pid}/cmdline`, "utf8");
  running.kill({ graceMs: 0 });
  await running.ended;
  const shell = realpathSync("/bin/sh");
  expect(title).toBe(shell.endsWith("box") ? "sh\0-s\0signalman: demo/0195\0" : "signalman: demo/0195\0");
});

test("A command with an equals sign in its name is run, not taken for a variable", async () => {
  const task = newTask();
  const command = join(task.folder, "a=b");
  copyFileSync("/usr/bin/printenv", command);
  await (await task.start({ ...program(command, "SECRET", "c=d"), command })).ended;
  expect(task.text()).toBe("s3cret\n");
});

test("A NUL byte is refused with the name of its variable or argument, without the value", () => {
  expect(() => carry({ TOKEN: "s3\0cret" })).toThrow(/^the variable TOKEN holds a NUL byte/);
  expect(() => carry({}, ["sh", "-c", "\0"])).toThrow(/^argument 2 holds a NUL byte/);
});

test("An environment that is too large is refused with the name of its largest variable", async () => {
  const task = newTask();
  const what = program("true");
  const large = task.start({ ...what, env: { ...what.env, KUBECONF: "x".repeat(200_000), TOKEN: "t" } });
  await expect(large).rejects.toThrow(
    /^its arguments and environment are too large: 200\d\d\d bytes, of which the variable KUBECONF has 200000;/,
  );
});
