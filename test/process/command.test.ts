import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CannotStartError, type Command, runCommand, TimedOutError } from "../../src/process/command.ts";
import { sweepMarked } from "../../src/process/kill-by-marker.ts";
import { scan } from "../../src/process/scan.ts";
import { env, expectNoProcessLeft, fixture, newTask } from "./harness.ts";

expectNoProcessLeft();

const never = new AbortController().signal;

function run(command: string, args: string[], options: Partial<Command> = {}) {
  const marker = newTask().marker;
  return runCommand({ command, args, cwd: tmpdir(), env, marker, signal: never, ...options });
}
const bash = (script: string, options?: Partial<Command>) => run("bash", ["-c", script], options);

/** Pids of living processes that carry a marker, or one below it. */
async function aliveOf(marker: string): Promise<number[]> {
  const snapshot = await scan();
  return [...snapshot.procs.values()]
    .filter((proc) => !proc.dead && snapshot.taskMarker(proc)?.startsWith(marker))
    .map(({ pid }) => pid);
}

/** Runs a script, stops it once it has printed `ready`; returns the error and the pids that are left. */
async function stopped(script: string, options: Partial<Command> = {}) {
  const { marker } = newTask();
  const stop = new AbortController();
  const onLine = (line: string) => line === "ready" && stop.abort(new Error("stopped"));
  const error = await bash(script, { marker, signal: stop.signal, graceMs: 200, onLine, ...options }).catch(
    (e: unknown) => e,
  );
  return { error, alive: await aliveOf(marker) };
}

describe("runCommand returns", () => {
  test("the output and the exit code, also of a failure", async () => {
    expect(await bash("echo out; echo err >&2; exit 3")).toEqual({
      exit: { kind: "code", code: 3 },
      stdout: "out\n",
      stderr: "err\n",
      isCut: false,
    });
  });

  test("the signal that ended the command", async () => {
    expect((await bash("kill -KILL $$")).exit).toEqual({ kind: "signal", signal: "SIGKILL", code: 137 });
  });

  test("A command gets no variable of the server's environment", async () => {
    process.env.SERVER_ONLY = "not for commands";
    const { stdout } = await run("env", []);
    const names = stdout
      .trim()
      .split("\n")
      .map((line) => line.split("=")[0]);
    expect(names.sort()).toEqual(["PATH", "SECRET", "SIGNALMAN_TASK"]);
  });

  test("A command reads the given stdin, by default nothing", async () => {
    expect((await run("cat", [], { stdin: "given\n" })).stdout).toBe("given\n");
    expect((await run("cat", [])).stdout).toBe("");
    expect((await bash("exit 0", { stdin: "x".repeat(1024 * 1024) })).exit).toEqual({
      kind: "code",
      code: 0,
    });
  });
});

describe("onLine", () => {
  test("is called for lines that end with \\n, with \\r or with the output, not for empty lines", async () => {
    const lines: string[] = [];
    await bash(String.raw`printf 'a\nb\rc\r\n\n\xff\xc3'; printf '\xa9 end'; printf 'e1' >&2`, {
      onLine: (line, stream) => void lines.push(`${stream} ${line}`),
    });
    expect(lines.filter((line) => line.startsWith("stdout"))).toEqual(
      ["a", "b", "c", "\ufffdé end"].map((line) => `stdout ${line}`),
    );
    expect(lines).toContain("stderr e1");
  });

  test("gets a very long line in pieces", async () => {
    const lengths: number[] = [];
    await bash("head -c 100000 /dev/zero | tr '\\0' x", { onLine: (line) => void lengths.push(line.length) });
    expect(Math.max(...lengths)).toBeLessThanOrEqual(16 * 1024);
    expect(lengths.reduce((sum, length) => sum + length)).toBe(100_000);
  });
});

test("The end of a large output is kept, and isCut is true", async () => {
  const { stdout, isCut } = await bash("seq 1 200000", { maxOutput: 1000 });
  expect(isCut).toBe(true);
  expect(stdout).toHaveLength(1000);
  expect(stdout.endsWith("199999\n200000\n")).toBe(true);
});

describe("A stop ends a command and throws the signal's reason", () => {
  test("before the start", async () => {
    await expect(bash("exit 0", { signal: AbortSignal.abort(new Error("stopped")) })).rejects.toThrow(
      "stopped",
    );
  });

  test.each([
    ["a program that exits on SIGTERM", "trap 'exit 0' TERM; echo ready; sleep 1000 & wait"],
    ["a program that ignores SIGTERM", `exec ${fixture("stubborn.sh")}`],
    ["a program whose children ignore SIGTERM", `${fixture("stubborn.sh")} & wait`],
    ["a program whose child has a separate session", "setsid sleep 1000 & echo ready; wait"],
    ["a program that has ended, while its child holds the output", "setsid sleep 1000 & echo ready"],
    ["a program that prints without end", "echo ready; exec yes"],
  ])("%s", async (_, script) => {
    const { error, alive } = await stopped(script);
    expect((error as Error).message).toBe("stopped");
    expect(alive).toEqual([]);
  });

  test("without ending another command of the same task", async () => {
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

describe("A time-out ends a command", () => {
  test("that takes too long, also while it prints", async () => {
    const { marker } = newTask();
    const error = await bash("trap '' TERM; setsid sleep 1000 & while :; do echo; done", {
      marker,
      timeoutMs: 50,
      graceMs: 50,
    }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(TimedOutError);
    expect(error).toMatchObject({ limit: "total", message: "bash took longer than 0.05 s" });
    expect(await aliveOf(marker)).toEqual([]);
  });

  test("that prints nothing for too long; all output restarts the time", async () => {
    const error = await bash("sleep 1000", { idleMs: 50 }).catch((e: unknown) => e);
    expect(error).toMatchObject({ limit: "idle", message: "bash printed nothing for 0.05 s" });
    expect((await bash("echo fast", { idleMs: 30_000 })).exit).toEqual({ kind: "code", code: 0 });
  });
});

describe("A process that a command leaves running", () => {
  test("is ended, also if it does not hold the output", async () => {
    const { marker } = newTask();
    const { stdout } = await bash(fixture("escapee.sh"), { marker });
    expect(stdout).toBe("done\n");
    expect(await aliveOf(marker)).toEqual([]);
  });

  test("is spared on request, unless it holds the output", async () => {
    const { marker } = newTask();
    await bash(fixture("escapee.sh"), { marker, leftovers: "spared" });
    expect(await aliveOf(marker)).toHaveLength(1);
    await bash("setsid sleep 1000 & echo done", { marker: `${marker}-2`, leftovers: "spared" });
    expect(await aliveOf(`${marker}-2`)).toEqual([]);
    await sweepMarked(marker);
    expect(await aliveOf(marker)).toEqual([]);
  });
});

describe("A command is rejected with CannotStartError", () => {
  const refusal = async (command: string, cwd = tmpdir()) => {
    const error = await run(command, [], { cwd }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(CannotStartError);
    return (error as Error).message;
  };

  test("if the program does not exist", async () => {
    expect(await refusal("no-such-program")).toBe(
      "Cannot start no-such-program: there is no such program on this server; install it",
    );
  });

  test("if the working directory does not exist", async () => {
    expect(await refusal("true", "/nowhere/x")).toBe("Cannot start true: there is no folder /nowhere/x");
  });

  test("if the file is not executable", async () => {
    const folder = mkdtempSync(join(tmpdir(), "signalman-command-"));
    writeFileSync(join(folder, "plain"), "");
    expect(await refusal(join(folder, "plain"))).toMatch(/^Cannot start .*plain: .*EACCES/);
    rmSync(folder, { recursive: true });
  });
});
