import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { applyDemo } from "../support/demo.ts";
import { SIGNALMAN } from "../support/program.ts";
import { startService, type TestService } from "../support/service.ts";
import { type Cli, startProgram } from "./cli.ts";
import { dispose } from "./end-tasks.ts";
import { Terminal } from "./terminal.ts";

const ON_TERMINAL = fileURLToPath(new URL("./on-terminal.py", import.meta.url));
const ROWS = 10;
const COLUMNS = 100;

let service: TestService;

beforeAll(async () => {
  service = await startService();
  await applyDemo(service, {
    lines: "seq 1 30; echo err >&2; exit 4",
    // Each part is flushed on its own: partial lines, one of them torn within a color and one within a character.
    partial: String.raw`
      printf 'first '; sleep 0.5; printf 'second \033[3'; sleep 0.5; printf '1mred\033[0m \xc3'; sleep 0.5
      printf '\xa4 end\n'; for i in 1 2 3; do printf '\rstep %s' $i; sleep 0.4; done; echo; seq 1 12; printf 'prompt> '; sleep 0.5; echo answer`,
    evil: String.raw`printf '\033]0;title\007\033]52;c;eA==\007\033[2J\033[5A\302\2332J\033[31mred\033[0m end\n'`,
    secret: `test "$token" = 'top secret' && echo right`,
    wait: "trap 'echo bye; exit 0' TERM; echo started; while :; do sleep 0.05; done",
  });
});
afterAll(() => dispose(service));

/** The command line on a terminal. */
function onTerminal(args: readonly string[], env: Record<string, string> = {}) {
  const command = [
    "python3",
    ON_TERMINAL,
    String(ROWS),
    String(COLUMNS),
    process.execPath,
    SIGNALMAN,
    ...args,
  ];
  return startProgram(command, { server: service.url, env: { TERM: "xterm", ...env }, keepStdin: true });
}

function shown(run: Cli): string {
  const terminal = new Terminal(ROWS, COLUMNS);
  terminal.write(run.stdout.toString());
  return terminal.text;
}

const ctrlC = (run: Cli) => run.child.stdin?.write("\x03");

describe("on a terminal", () => {
  test("all lines stay, the status line is removed, and the end is printed", async () => {
    const run = onTerminal(["run", "demo/lines"]);
    expect(await run.ended).toBe(1);
    const lines = shown(run).split("\n");
    expect(lines.filter((line) => /^\d+$/.test(line))).toEqual(
      Array.from({ length: 30 }, (_, i) => String(i + 1)),
    );
    expect(lines).toContain("err");
    expect(lines.at(-1)).toMatch(/^signalman: demo\/\S+ ERROR after [\d.]+ s$/);
    expect(shown(run).match(/The program ended with exit code 4/g)).toHaveLength(1);
    expect(shown(run)).not.toContain("Ctrl-C leaves");
  });

  test("partial lines go on where they were, and nothing tears colors or characters", async () => {
    const run = onTerminal(["run", "demo/partial"]);
    await run.shows("stdout", "prompt> ");
    await run.shows("stdout", "RUNNING");
    expect(await run.ended).toBe(0);
    const lines = shown(run).split("\n");
    const from = lines.indexOf("first second red ä end");
    const numbers = Array.from({ length: 12 }, (_, i) => String(i + 1));
    expect(lines.slice(from, from + 15)).toEqual([
      "first second red ä end",
      "step 3",
      ...numbers,
      "prompt> answer",
    ]);
    expect(run.stdout.toString()).toContain("\x1b[31mred\x1b[0m ");
    expect(run.stdout.toString()).toContain("\u00e4 end");
  });

  // biome-ignore lint/suspicious/noControlCharactersInRegex: matches control characters
  const EVIL = /\x1b\]|\x1b\[2J|\x1b\[5A|\u009b|\x07/;

  test("only text and colors of a task's output reach the terminal", async () => {
    const run = onTerminal(["run", "demo/evil"]);
    expect(await run.ended).toBe(0);
    expect(run.stdout.toString()).not.toMatch(EVIL);
    expect(run.stdout.toString()).toContain("\x1b[31mred\x1b[0m end");
    const [task = ""] = /demo\/[0-9a-f-]{36}/.exec(run.stdout.toString()) ?? [];
    for (const args of [
      ["logs", task],
      ["watch", task],
      ["logs", "--follow", task],
    ]) {
      const again = onTerminal(args);
      expect(await again.ended).toBe(0);
      expect(again.stdout.toString()).not.toMatch(EVIL);
      expect(again.stdout.toString()).toContain("\x1b[31mred\x1b[0m end");
    }
    const uncolored = onTerminal(["logs", task], { NO_COLOR: "1" });
    await uncolored.ended;
    expect(uncolored.stdout.toString()).not.toContain("\x1b");
    const plain = onTerminal(["watch", "--plain", task]);
    await plain.ended;
    expect(plain.stdout.toString()).toContain("red end");
    const raw = onTerminal(["logs", "--raw", task]);
    await raw.ended;
    expect(raw.stdout.toString()).toContain("\x1b]0;title\x07\x1b]52;c;eA==\x07\x1b[2J\x1b[5A\u009b2J");
    const json = onTerminal(["--json", "logs", task]);
    await json.ended;
    expect(json.stdout.toString()).not.toMatch(EVIL);
    expect(json.stdout.toString()).toContain("\\u009b2J");
  });

  test("colors stay out with NO_COLOR, and there is no status line on a dumb terminal", async () => {
    const run = onTerminal(["run", "demo/lines"], { TERM: "dumb", NO_COLOR: "1" });
    expect(await run.ended).toBe(1);
    expect(run.stdout.toString()).not.toContain("\x1b");
  });

  test("a secret without a value is asked for, and what is typed is not shown", async () => {
    const run = onTerminal(["run", "demo/secret", "--secret", "token"]);
    await run.shows("stdout", "token: ");
    run.child.stdin?.write("top secret\r");
    expect(await run.ended).toBe(0);
    expect(shown(run)).toContain("right");
    expect(shown(run)).not.toContain("top");
  });

  test("Ctrl-C instead of a secret runs nothing", async () => {
    const run = onTerminal(["run", "demo/secret", "--secret", "token"]);
    await run.shows("stdout", "token: ");
    run.child.stdin?.write("\x03");
    expect(await run.ended).toBe(130);
    expect(shown(run)).toBe("token:");
  });

  test("the status line tells status, time and template, and how to leave", async () => {
    const run = onTerminal(["run", "demo/wait"]);
    await run.shows("stdout", "started");
    await run.shows("stdout", /\d:(?!00)\d\d/);
    expect(shown(run).split("\n").at(-1)).toMatch(
      /^RUNNING \d+:\d\d demo\/wait {2}Ctrl-C leaves, twice kills$/,
    );
    ctrlC(run);
    await run.shows("stdout", "again within 2 s");
    ctrlC(run);
    expect(await run.ended).toBe(3);
  });
});
