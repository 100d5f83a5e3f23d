import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, onTestFinished, type TestContext, test } from "vitest";
import { candidates } from "../../src/cli/completion/candidates.ts";
import { createProgram } from "../../src/cli/program.ts";
import { findProgram } from "../../src/jobs/apps/find-program.ts";
import { applyDemo, runDemo, watchToEnd } from "../support/demo.ts";
import { SIGNALMAN } from "../support/program.ts";
import { startService, type TestService } from "../support/service.ts";
import { cli, startProgram } from "./cli.ts";

const ON_TERMINAL = fileURLToPath(new URL("./on-terminal.py", import.meta.url));

/** Wait for the server: longer than the default, since other tests load the machine. */
const PATIENCE_MS = 60_000;

let service: TestService;
let task: string;
let bin: string;

beforeAll(async () => {
  service = await startService();
  await applyDemo(service, { hello: { script: "echo hi", description: "Says\thello" }, help: "exit 0" });
  const { name } = await runDemo(service, "hello", { message: "a note" });
  await watchToEnd(service, name);
  task = name.replace("projects/demo/tasks", "demo");
  bin = await mkdtemp(join(tmpdir(), "signalman-bin-"));
  await writeFile(
    join(bin, "signalman"),
    `#!/bin/sh
[ "$1" = __complete ] && shift && set -- __complete --patience ${PATIENCE_MS} "$@"
exec '${process.execPath}' '${SIGNALMAN}' "$@"
`,
  );
  await chmod(join(bin, "signalman"), 0o755);
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await rm(bin, { recursive: true });
});

/** Texts of the completions of the last word. */
async function completed(...words: string[]): Promise<string[]> {
  process.env.SIGNALMAN_SERVER = service.url;
  const found = await candidates(createProgram(), words, PATIENCE_MS);
  return found.map(({ text }) => text);
}

describe("the last word", () => {
  test("is a command", async () => {
    expect(await completed("")).toEqual(expect.arrayContaining(["run", "watch", "completion", "help"]));
    expect(await completed("")).not.toContain("__complete");
    expect(await completed("ru")).toEqual(["run"]);
    expect(await completed("--json", "wat")).toEqual(["watch"]);
    expect(await completed("frob", "x")).toEqual([]);
  });

  test("is an option, of the command or of all", async () => {
    expect(await completed("kill", "--g")).toEqual(["--grace"]);
    expect(await completed("kill", "demo/x", "-")).toEqual(
      expect.arrayContaining(["--force", "--json", "--help"]),
    );
    expect(await completed("serve", "--lis")).toEqual(["--listen"]);
  });

  test("is a choice, a file, or free text without completions", async () => {
    expect(await completed("completion", "")).toEqual(["bash", "zsh", "fish"]);
    expect(await completed("apply", "cat")).toEqual([":files"]);
    expect(await completed("run", "demo/hello", "--message", "")).toEqual([]);
    expect(await completed("get", "demo/x", "")).toEqual([]);
  });

  test("is a name that the server knows", async () => {
    expect(await completed("run", "")).toEqual(["demo/"]);
    expect(await completed("run", "demo/he")).toEqual(["demo/hello", "demo/help"]);
    expect(await completed("run", "--message", "x", "-e", "a=b", "demo/hell")).toEqual(["demo/hello"]);
    for (const command of ["watch", "kill", "get", "logs"])
      expect(await completed(command, "demo/")).toEqual([task]);
    expect(await completed("list", "de")).toEqual(["demo"]);
  });

  test("is completed by the server that the words name", async () => {
    expect(await completed("--server", "127.0.0.1:1", "run", "")).toEqual([]);
    expect(await completed("--server=127.0.0.1:1", "run", "")).toEqual([]);
    expect(await completed("run", "--server", service.url, "d")).toEqual(["demo/"]);
  });
});

describe("the hidden command", () => {
  test("prints completions, each with its hint behind a tab", async () => {
    const { code, stdout } = await cli(["__complete", "--patience", `${PATIENCE_MS}`, "--", "run", "demo/"], {
      server: service.url,
    });
    expect({ code, stdout }).toEqual({ code: 0, stdout: "demo/hello\tSays hello\ndemo/help\n" });
    const { stdout: tasks } = await cli(["__complete", "--patience", `${PATIENCE_MS}`, "--", "watch", ""], {
      server: service.url,
    });
    expect(tasks).toBe(`${task}\tdemo/hello SUCCESS a note\n`);
  });

  test("prints nothing without a server, or if the server does not answer within the patience", async () => {
    const mute = createServer(() => {}).listen(0, "127.0.0.1");
    await once(mute, "listening");
    const { port } = mute.address() as { port: number };
    for (const server of ["127.0.0.1:1", `127.0.0.1:${port}`]) {
      const run = await cli(["__complete", "--", "run", ""], { server });
      expect(run).toEqual({ code: 0, stdout: "", stderr: "" });
    }
    mute.close();
  });
});

/** A shell with the completion loaded, as people have it. */
const shellEnv = () => ({
  PATH: `${bin}${delimiter}${process.env.PATH}`,
  SIGNALMAN_SERVER: service.url,
  TERM: "dumb",
  HOME: bin,
});

async function shellOr(context: TestContext, name: string): Promise<string> {
  const found = findProgram({ command: name }, process.env.PATH ?? "");
  return found ?? context.skip(`there is no ${name} on this machine`);
}

/** Types a line and a Tab at a shell until it shows what they led to. */
async function typed(shell: string[], start: string, line: string, shows: string) {
  const command = ["python3", ON_TERMINAL, "24", "100", ...shell];
  const run = startProgram(command, { env: shellEnv(), keepStdin: true });
  onTestFinished(() => void run.child.kill("SIGKILL"));
  run.child.stdin?.write(`${start}; echo rea''dy\r`);
  await run.shows("stdout", "ready\r\n");
  run.child.stdin?.write(`${line}\t`);
  await run.shows("stdout", shows);
}

describe("in a shell", () => {
  test("bash completes commands, options and names", async (context) => {
    const bash = [await shellOr(context, "bash"), "--norc", "--noprofile", "-i"];
    const start = "source <(signalman completion bash)";
    await typed(bash, start, "signalman comp", "signalman completion ");
    await typed(bash, start, "signalman kill --gr", "kill --grace ");
    await typed(bash, start, "signalman run d", "run demo/");
    await typed(bash, start, "signalman run demo/hell", "run demo/hello ");
    await typed(bash, start, "signalman apply biom", "apply biome.json ");
  });

  test("zsh completes commands, options and names", async (context) => {
    const zsh = [await shellOr(context, "zsh"), "-f", "-i"];
    const start =
      "unsetopt beep; autoload -Uz compinit && compinit -D -u; source <(signalman completion zsh)";
    await typed(zsh, start, "signalman kill --gr", "kill --grace");
    await typed(zsh, start, "signalman run demo/hell", "run demo/hello");
    await typed(zsh, start, "signalman apply biom", "apply biome.json");
  });

  test("fish completes commands, options and names", async (context) => {
    const fish = await shellOr(context, "fish");
    const ask = async (line: string) => {
      const script = `signalman completion fish | source; complete -C '${line}'`;
      const run = startProgram([fish, "--no-config", "-c", script], { env: shellEnv() });
      expect(await run.ended, run.stderr).toBe(0);
      return run.stdout.toString();
    };
    expect(await ask("signalman kill --gr")).toMatch(/^--grace\ttime between/m);
    expect(await ask("signalman run demo/hell")).toBe("demo/hello\tSays hello\n");
    expect(await ask("signalman run ")).toBe("demo/\n");
  });
});
