import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CannotStart, type Command, runCommand, TimedOut } from "../../src/process/command.ts";
import { sweepMarked } from "../../src/process/kill-by-marker.ts";
import { scan } from "../../src/process/scan.ts";
import { env, expectNobodyLeft, fixture, newTask } from "./harness.ts";

expectNobodyLeft();

const never = new AbortController().signal;

function run(command: string, args: string[], options: Partial<Command> = {}) {
  const marker = newTask().marker;
  return runCommand({ command, args, cwd: tmpdir(), env, marker, signal: never, ...options });
}
const bash = (script: string, options?: Partial<Command>) => run("bash", ["-c", script], options);

/** Pids of whatever carries a marker, or one below it. */
async function aliveOf(marker: string): Promise<number[]> {
  const snapshot = await scan();
  return [...snapshot.procs.values()]
    .filter((proc) => !proc.dead && snapshot.taskMarker(proc)?.startsWith(marker))
    .map(({ pid }) => pid);
}

/** Starts a script, stops it when it has said `ready`, and tells what it threw and left. */
async function stopped(script: string, options: Partial<Command> = {}) {
  const { marker } = newTask();
  const stop = new AbortController();
  const onLine = (line: string) => line === "ready" && stop.abort(new Error("stopped"));
  const error = await bash(script, { marker, signal: stop.signal, graceMs: 200, onLine, ...options }).catch(
    (e: unknown) => e,
  );
  return { error, alive: await aliveOf(marker) };
}

describe("a command's end is a value", () => {
  test("its output and exit code, whatever that is", async () => {
    expect(await bash("echo out; echo err >&2; exit 3")).toEqual({
      exit: { kind: "code", code: 3 },
      stdout: "out\n",
      stderr: "err\n",
      isCut: false,
    });
  });

  test("the signal that ended it", async () => {
    expect((await bash("kill -KILL $$")).exit).toEqual({ kind: "signal", signal: "SIGKILL", code: 137 });
  });

  test("nothing of the server's environment is in its own", async () => {
    process.env.SERVER_ONLY = "not for commands";
    const { stdout } = await run("env", []);
    const names = stdout
      .trim()
      .split("\n")
      .map((line) => line.split("=")[0]);
    expect(names.sort()).toEqual(["PATH", "SECRET", "SIGNALMAN_TASK"]);
  });

  test("it reads what it is given, and else nothing", async () => {
    expect((await run("cat", [], { stdin: "given\n" })).stdout).toBe("given\n");
    expect((await run("cat", [])).stdout).toBe("");
    expect((await bash("exit 0", { stdin: "x".repeat(1024 * 1024) })).exit).toEqual({
      kind: "code",
      code: 0,
    });
  });
});

describe("lines come while it runs", () => {
  test("each ended by \\n or \\r, the last one by nothing, and none of them empty", async () => {
    const lines: string[] = [];
    await bash(String.raw`printf 'a\nb\rc\r\n\n\xff\xc3'; printf '\xa9 end'; printf 'e1' >&2`, {
      onLine: (line, stream) => void lines.push(`${stream} ${line}`),
    });
    expect(lines.filter((line) => line.startsWith("stdout"))).toEqual(
      ["a", "b", "c", "\ufffdé end"].map((line) => `stdout ${line}`),
    );
    expect(lines).toContain("stderr e1");
  });

  test("one without an end comes in pieces", async () => {
    const lengths: number[] = [];
    await bash("head -c 100000 /dev/zero | tr '\\0' x", { onLine: (line) => void lengths.push(line.length) });
    expect(Math.max(...lengths)).toBeLessThanOrEqual(16 * 1024);
    expect(lengths.reduce((sum, length) => sum + length)).toBe(100_000);
  });
});

test("of much output the last part is kept, and it is told that there was more", async () => {
  const { stdout, isCut } = await bash("seq 1 200000", { maxOutput: 1000 });
  expect(isCut).toBe(true);
  expect(stdout).toHaveLength(1000);
  expect(stdout.endsWith("199999\n200000\n")).toBe(true);
});

describe("a stop ends all of it, and throws the stop's reason", () => {
  test("before it began", async () => {
    await expect(bash("exit 0", { signal: AbortSignal.abort(new Error("stopped")) })).rejects.toThrow(
      "stopped",
    );
  });

  test.each([
    ["a program that ends politely", "trap 'exit 0' TERM; echo ready; sleep 1000 & wait"],
    ["one that ignores SIGTERM", `exec ${fixture("stubborn.sh")}`],
    ["one whose children ignore it", `${fixture("stubborn.sh")} & wait`],
    ["one whose child has a session of its own", "setsid sleep 1000 & echo ready; wait"],
    ["one that is gone, while its child holds the output", "setsid sleep 1000 & echo ready"],
    ["one that prints without end", "echo ready; exec yes"],
  ])("%s", async (_, script) => {
    const { error, alive } = await stopped(script);
    expect((error as Error).message).toBe("stopped");
    expect(alive).toEqual([]);
  });

  test("but no other command of the same task", async () => {
    const { marker } = newTask();
    const other = new AbortController();
    const { promise: isReady, resolve } = Promise.withResolvers<void>();
    const running = bash("echo ready; sleep 1000 & wait", {
      marker,
      signal: other.signal,
      onLine: () => resolve(),
    });
    await isReady;
    await stopped("echo ready; sleep 1000", { marker });
    expect((await aliveOf(marker)).length).toBe(2);
    other.abort(new Error("stopped later"));
    await expect(running).rejects.toThrow("stopped later");
  });
});

describe("a time-out ends all of it", () => {
  test("when it takes too long, whatever it prints", async () => {
    const { marker } = newTask();
    const error = await bash("trap '' TERM; setsid sleep 1000 & while :; do echo; done", {
      marker,
      timeoutMs: 50,
      graceMs: 50,
    }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(TimedOut);
    expect(error).toMatchObject({ limit: "total", message: "bash took longer than 0.05 s" });
    expect(await aliveOf(marker)).toEqual([]);
  });

  test("when it has said nothing for too long; each word gives it time", async () => {
    const error = await bash("sleep 1000", { idleMs: 50 }).catch((e: unknown) => e);
    expect(error).toMatchObject({ limit: "idle", message: "bash said nothing for 0.05 s" });
    expect((await bash("echo fast", { idleMs: 30_000 })).exit).toEqual({ kind: "code", code: 0 });
  });
});

describe("what it leaves behind", () => {
  test("is ended with it, also if it holds no output", async () => {
    const { marker } = newTask();
    const { stdout } = await bash(fixture("escapee.sh"), { marker });
    expect(stdout).toBe("done\n");
    expect(await aliveOf(marker)).toEqual([]);
  });

  test("may stay where that is wished, unless it holds the output", async () => {
    const { marker } = newTask();
    await bash(fixture("escapee.sh"), { marker, leftovers: "spared" });
    expect(await aliveOf(marker)).toHaveLength(1);
    await bash("setsid sleep 1000 & echo done", { marker: `${marker}-2`, leftovers: "spared" });
    expect(await aliveOf(`${marker}-2`)).toEqual([]);
    await sweepMarked(marker);
    expect(await aliveOf(marker)).toEqual([]);
  });
});

describe("what cannot be started is an error", () => {
  const refusal = async (command: string, cwd = tmpdir()) => {
    const error = await run(command, [], { cwd }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(CannotStart);
    return (error as Error).message;
  };

  test("a program that is not there", async () => {
    expect(await refusal("no-such-program")).toBe(
      "Cannot start no-such-program: there is no such program on this server; install it",
    );
  });

  test("a folder that is not there", async () => {
    expect(await refusal("true", "/nowhere/x")).toBe("Cannot start true: there is no folder /nowhere/x");
  });

  test("a file that is no program", async () => {
    const folder = mkdtempSync(join(tmpdir(), "signalman-command-"));
    writeFileSync(join(folder, "plain"), "");
    expect(await refusal(join(folder, "plain"))).toMatch(/^Cannot start .*plain: .*EACCES/);
    rmSync(folder, { recursive: true });
  });
});
