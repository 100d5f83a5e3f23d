import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { HookEvent } from "../../gen/signalman/v1/hook_pb.ts";
import { forEachName } from "../../src/cli/each.ts";
import { applyDemo, runDemo, watchToEnd } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { cli, startCli } from "./cli.ts";

const LONG = 'print("before"); print("x" + "äöü€" * 20000); print("between"); print("a" * 40000, end="")';
let service: TestService;
let server: string;
let name: string;
let short: string;

beforeAll(async () => {
  service = await startService();
  server = service.url;
  await applyDemo(service, {
    both: String.raw`echo one; sleep 0.3; echo two >&2; sleep 0.3; printf '\033[31mthree\033[0m'`,
    count: "seq 1 25000",
    long: { app: "python", script: LONG },
    endless: "head -c 3000000 /dev/zero | tr '\\0' z; echo",
    wait: "echo before; echo started; exec sleep 600",
    hooked: {
      script: "exit 0",
      hooks: [
        {
          name: "tell",
          event: HookEvent.AFTER_TASK,
          kind: {
            case: "program",
            value: { app: "bash", script: String.raw`printf 'told \033]0;title\007 \302\233 2J\n'` },
          },
        },
      ],
    },
    fail: "exit 1",
  });
  ({ name } = await runDemo(service, "both", { message: "a\u001b[31m\nnote", labels: { team: "web" } }));
  short = name.replace(/^projects\/demo\/tasks/, "demo");
  await watchToEnd(service, name);
});
afterAll(() => service[Symbol.asyncDispose]());

describe("signalman get", () => {
  test("prints the task as YAML, or as JSON", async () => {
    const yaml = await cli(["get", short], { server });
    expect(parse(yaml.stdout)).toMatchObject({
      name,
      status: "TASK_STATUS_SUCCESS",
      labels: { team: "web" },
    });
    expect(yaml.stdout).not.toContain("\x1b");
    const json = await cli(["--json", "get", name], { server });
    expect(JSON.parse(json.stdout)).toEqual(parse(yaml.stdout));
  });

  test("a task that does not exist is an error with exit code 2", async () => {
    const { code, stderr } = await cli(["get", "demo/0192f0c1-0000-7000-8000-000000000001"], { server });
    expect(code).toBe(2);
    expect(stderr).toBe(
      "signalman: There is no projects/demo/tasks/0192f0c1-0000-7000-8000-000000000001 (not_found)\n",
    );
  });
});

describe("signalman logs", () => {
  test("counts a line of many pieces as one, and cuts none of its characters", async () => {
    const { name: task } = await runDemo(service, "long");
    await watchToEnd(service, task);
    const of = async (tail: number, ...more: string[]) =>
      (await cli(["logs", task, "--stream", "stdout", "--tail", String(tail), ...more], { server })).stdout;
    const first = `x${"äöü€".repeat(20_000)}\n`;
    expect(await of(1)).toBe("a".repeat(40_000));
    expect(await of(2)).toBe(`between\n${"a".repeat(40_000)}`);
    expect(await of(3)).toBe(`${first}between\n${"a".repeat(40_000)}`);
    expect(await of(100)).toBe(`before\n${first}between\n${"a".repeat(40_000)}`);
    const json = (await of(3, "--json"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(json.map(({ text }) => text).join("")).toBe(
      `x${"äöü€".repeat(20_000)}between${"a".repeat(40_000)}`,
    );
    const watched = await cli(["watch", task, "--tail", "1"], { server });
    expect(watched.stdout).toBe("a".repeat(40_000));
  });

  test("counts the rest of a line after 1 MiB as another line", async () => {
    const { name: task } = await runDemo(service, "endless");
    await watchToEnd(service, task);
    const { stdout } = await cli(["logs", task, "--stream", "stdout", "--tail", "1"], { server });
    expect(stdout.length).toBeGreaterThan(16_000);
    expect(stdout.length).toBeLessThanOrEqual(1 << 20);
    expect(stdout).toMatch(/^z+\n$/);
  });

  test("goes on with --follow until the task has ended", async () => {
    const { name: task } = await runDemo(service, "wait");
    const run = startCli(["logs", "-f", "--stream", "stdout", "--tail", "1", task], { server });
    await run.shows("stdout", "started");
    await cli(["kill", task, "--force"], { server });
    expect(await run.ended).toBe(0);
    expect(run.stdout.toString()).toBe("started\n");
  });

  test("makes the service's lines printable, and has times before lines with -t", async () => {
    const system = await cli(["logs", short, "--stream", "system", "-t"], { server });
    expect(system.stdout).toMatch(/^\d{4}-\S+Z Running /);
    const hooked = await runDemo(service, "hooked");
    await watchToEnd(service, hooked.name);
    const { stdout } = await cli(["logs", hooked.name, "--stream", "system", "--raw"], { server });
    expect(stdout).toContain("told");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: matches control characters
    expect(stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
  });

  test("prints the log, or a stream, or its end", async () => {
    const all = await cli(["logs", short], { server });
    expect(all.stdout).toContain("one\n");
    expect(all.stdout).toContain("two\n");
    expect((await cli(["logs", short, "--stream", "stderr"], { server })).stdout).toBe("two\n");
    const last = ["logs", short, "--stream", "stdout", "--tail", "1"];
    expect((await cli(last, { server })).stdout).toBe("three");
    expect((await cli([...last, "--raw"], { server })).stdout).toBe("\x1b[31mthree\x1b[0m");
    const plain = await cli(["logs", "--stream", "stdout", "--plain", short], { server });
    expect(plain.stdout).toBe("one\nthree");
  });

  test("prints one JSON object per line", async () => {
    const { stdout } = await cli(["logs", short, "--stream", "stdout", "--json"], { server });
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines[0]).toMatchObject({ stream: "LOG_STREAM_STDOUT", content: "b25l", text: "one" });
    expect(lines.at(-1)).toMatchObject({ text: "\x1b[31mthree\x1b[0m", partial: true });
  });

  test("reads more than one page", async () => {
    const task = await runDemo(service, "count");
    await watchToEnd(service, task.name);
    const numbers = Array.from({ length: 25_000 }, (_, i) => `${i + 1}\n`);
    const { stdout } = await cli(["logs", task.name, "--stream", "stdout"], { server });
    expect(stdout).toBe(numbers.join(""));
    const tail = await cli(["logs", task.name, "--stream", "stdout", "--tail", "12000"], { server });
    expect(tail.stdout).toBe(numbers.slice(-12_000).join(""));
  });
});

describe("signalman list", () => {
  test("prints an aligned table, control characters taken out", async () => {
    const { stdout } = await cli(["list", "demo", "--filter", "labels.team = web"], { server });
    const [header = "", row = ""] = stdout.split("\n");
    expect(header).toMatch(/^TASK +TEMPLATE +STATUS +AGE +DURATION +MESSAGE$/);
    expect(row.startsWith(`${short}  demo/both  SUCCESS  `)).toBe(true);
    expect(row.indexOf("a\ufffd[31m note")).toBe(header.indexOf("MESSAGE"));
  });

  test("prints one JSON object per task, up to the limit", async () => {
    const { stdout } = await cli(["list", "--json", "--limit", "1"], { server });
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).name),
    ).toEqual([expect.stringContaining("projects/demo/")]);
  });

  test("says what is wrong with a filter", async () => {
    const { code, stderr } = await cli(["list", "--filter", "frob = 1"], { server });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^signalman: filter: /);
  });
});

describe("signalman kill", () => {
  test("says that a task had ended already", async () => {
    const { code, stdout } = await cli(["kill", short], { server });
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${short} had ended already (SUCCESS)\n` });
  });
});

describe("signalman run", () => {
  test("prints each violation on a separate line", async () => {
    const args = ["run", "demo/both", "--arg", "x", "--branch", "main"];
    const { code, stderr } = await cli(args, { server });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^signalman: arguments: .*\nsignalman: git_branch: .*\n$/);
  });
});

describe("several tasks at once", () => {
  const MISSING = "demo/0192f0c1-0000-7000-8000-000000000001";

  test("kill and delete go on after a missing task, report each, and exit with 2", async () => {
    const names = await Promise.all(["wait", "wait"].map((template) => runDemo(service, template)));
    const [first = "", second = ""] = names.map((task) => task.name.replace("projects/demo/tasks", "demo"));
    const kill = await cli(["kill", first, MISSING, second, first, "--force"], { server });
    expect(kill.code).toBe(2);
    expect(kill.stdout.match(/^demo\/\S+/gm)).toEqual([first, second]);
    expect(kill.stderr).toContain("000000000001 (not_found)");
    for (const { name: task } of names) await watchToEnd(service, task);
    const { code, stdout, stderr } = await cli(["delete", MISSING, first, second], { server });
    expect(code).toBe(2);
    expect(stdout).toBe(`${first} deleted\n${second} deleted\n`);
    expect(stderr).toContain("000000000001 (not_found)");
  });

  test("a missing right for one name does not keep the others", async () => {
    const tried: string[] = [];
    const act = async (task: string) => {
      tried.push(task);
      throw new ConnectError("not yours", Code.PermissionDenied);
    };
    expect(await forEachName(["a", "b"], act)).toBe(2);
    expect(tried).toEqual(["a", "b"]);
  });

  test("an error that every call would get ends the command at once", async () => {
    const tried: string[] = [];
    const act = async (task: string) => {
      tried.push(task);
      throw new ConnectError("gone", Code.Unavailable);
    };
    await expect(forEachName(["a", "b"], act)).rejects.toThrow("gone");
    expect(tried).toEqual(["a"]);
  });
});
