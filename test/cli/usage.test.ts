import { describe, expect, test, vi } from "vitest";
import { createProgram } from "../../src/cli/program.ts";
import { report } from "../../src/cli/report.ts";
import { cli } from "./cli.ts";

const TASK = "demo/0192f0c1-0000-7000-8000-000000000001";

const WRONG: [string[], RegExp][] = [
  [["frob"], /unknown command 'frob'/],
  [["run"], /missing required argument 'template'/],
  [["run", "hello"], /PROJECT\/TEMPLATE/],
  [
    ["run", "demo/hello", "-e", "novalue"],
    /'-e, --var <name=value\|@file>' argument 'novalue' is invalid. It must be NAME=VALUE or @FILE/,
  ],
  [["run", "demo/hello", "--env", "=x"], /'--env <name=value>'/],
  [
    ["run", "demo/hello", "--priority", "x"],
    /'--priority <n>' argument 'x' is invalid. It must be a whole number from 1 to 100/,
  ],
  [
    ["run", "demo/hello", "--run-timeout", "5 minutes"],
    /'--run-timeout <duration>'.* It must be a duration such as 90s/,
  ],
  [["run", "demo/hello", "--secret", "nowhere"], /--secret nowhere: there is no nowhere in the environment/],
  [["run", "demo/hello", "--secret", "=hunter2"], /^signalman: --secret: it must be NAME or NAME=VALUE\n$/],
  [["run", "demo/hello", "--frob"], /unknown option '--frob'/],
  [["watch", "0192f0c1-0000-7000-8000-000000000001"], /projects\/PROJECT\/tasks\/UUID or PROJECT\/UUID/],
  [["kill", "demo/hello"], /PROJECT\/UUID/],
  [["kill", TASK, "--grace", "-1"], /'--grace <duration>'/],
  [["logs", TASK, "--stream", "both"], /It must be one of stdout, stderr, system/],
  [["list", "demo", "--limit", "0"], /from 1 to/],
  [
    ["list", "--server", "ftp://x"],
    /'--server <host:port>' argument 'ftp:\/\/x' is invalid. The server must be HOST:PORT/,
  ],
  [
    ["list", "--token", "two words"],
    /^signalman: --token or SIGNALMAN_TOKEN: the token must be visible ASCII without blanks$/m,
  ],
  [
    ["apply", "/nowhere/catalog.yaml"],
    /^signalman: cannot read \/nowhere\/catalog.yaml: there is no such file$/m,
  ],
  [["apply", "/"], /^signalman: cannot read \/: it is a folder$/m],
  [["run", "demo/hello", "-e", "@nowhere.yaml"], /cannot read nowhere.yaml: there is no such file$/m],
];

/** Wrong usage of `serve`, whose exit code comes from the server. */
const WRONG_SERVE: [string[], RegExp][] = [
  [["serve", "--frob"], /unknown option '--frob'/],
  [["serve", "--listen", "nowhere"], /--listen must be HOST:PORT/],
  [["serve", "--token", "abc"], /serve takes its token from SIGNALMAN_TOKEN/],
];

/** Runs the command line in this process as main.ts does; a new process takes a hundred times as long. */
async function inProcess(args: string[]) {
  const stderr: string[] = [];
  const spy = vi.spyOn(process.stderr, "write").mockImplementation((text) => stderr.push(String(text)) > 0);
  try {
    const code = await createProgram()
      .parseAsync(args, { from: "user" })
      .then(() => 0, report);
    return { code, stderr: stderr.join("") };
  } finally {
    spy.mockRestore();
  }
}

describe("wrong usage ends with 2 and names what is wrong", () => {
  test.each(WRONG)("%j", async (args, message) => {
    const { code, stderr } = await inProcess(args);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^signalman: /);
    expect(stderr).not.toContain("    at ");
    expect(code).toBe(2);
  });

  test.each([...WRONG.slice(0, 2), ...WRONG_SERVE])("%j, as a process", async (args, message) => {
    const { code, stdout, stderr } = await cli(args);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^signalman: /);
    expect(stdout).toBe("");
    expect(code).toBe(2);
  });
});

describe("help", () => {
  test.each([["--help"], ["serve", "--help"], ["help", "kill"]])("%s %s", async (...args) => {
    const { code, stdout } = await cli(args.filter(Boolean));
    expect(stdout).toMatch(/^Usage: signalman/);
    expect(code).toBe(0);
  });

  test("of serve names the variable of every setting", async () => {
    const { stdout } = await cli(["serve", "--help"]);
    for (const name of ["SIGNALMAN_LISTEN", "DATABASE_URL", "SIGNALMAN_TOKEN"])
      expect(stdout).toContain(name);
  });
});
