import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { applyDemo, runDemo, watchToEnd } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { cli } from "./cli.ts";

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
    fail: "exit 1",
  });
  ({ name } = await runDemo(service, "both", { message: "a\u001b[31m\nnote", labels: { team: "web" } }));
  short = name.replace(/^projects\/demo\/tasks/, "demo");
  await watchToEnd(service, name);
});
afterAll(() => service[Symbol.asyncDispose]());

describe("signalman get", () => {
  it("prints the task as YAML, or as JSON", async () => {
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

  it("a task that does not exist is an error with exit code 2", async () => {
    const { code, stderr } = await cli(["get", "demo/0192f0c1-0000-7000-8000-000000000001"], { server });
    expect(code).toBe(2);
    expect(stderr).toBe(
      "signalman: There is no projects/demo/tasks/0192f0c1-0000-7000-8000-000000000001 (not_found)\n",
    );
  });
});

describe("signalman logs", () => {
  it("prints the log, or a stream, or its end", async () => {
    const all = await cli(["logs", short], { server });
    expect(all.stdout).toContain("one\n");
    expect(all.stdout).toContain("two\n");
    expect((await cli(["logs", short, "--stream", "stderr"], { server })).stdout).toBe("two\n");
    expect((await cli(["logs", short, "--stream", "stdout", "--tail", "1"], { server })).stdout).toBe(
      "\x1b[31mthree\x1b[0m",
    );
    const plain = await cli(["logs", "--stream", "stdout", "--plain", short], { server });
    expect(plain.stdout).toBe("one\nthree");
  });

  it("as JSON: a line each", async () => {
    const { stdout } = await cli(["logs", short, "--stream", "stdout", "--json"], { server });
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines[0]).toMatchObject({ stream: "LOG_STREAM_STDOUT", content: "b25l", text: "one" });
    expect(lines.at(-1)).toMatchObject({ text: "\x1b[31mthree\x1b[0m", partial: true });
  });

  it("brings more than one page", async () => {
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
  it("prints an aligned table, control characters taken out", async () => {
    const { stdout } = await cli(["list", "demo", "--filter", "labels.team = web"], { server });
    const [header = "", row = ""] = stdout.split("\n");
    expect(header).toMatch(/^TASK +TEMPLATE +STATUS +AGE +DURATION +MESSAGE$/);
    expect(row.startsWith(`${short}  demo/both  SUCCESS  `)).toBe(true);
    expect(row.indexOf("a\ufffd[31m note")).toBe(header.indexOf("MESSAGE"));
  });

  it("as JSON: a task a line, as many as asked for", async () => {
    const { stdout } = await cli(["list", "--json", "--limit", "1"], { server });
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).name),
    ).toEqual([expect.stringContaining("projects/demo/")]);
  });

  it("says what is wrong with a filter", async () => {
    const { code, stderr } = await cli(["list", "--filter", "frob = 1"], { server });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^signalman: filter: /);
  });
});

describe("signalman kill", () => {
  it("says that a task had ended already", async () => {
    const { code, stdout } = await cli(["kill", short], { server });
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${short} had ended already (SUCCESS)\n` });
  });
});

describe("signalman run", () => {
  it("prints each violation on a line of its own", async () => {
    const args = ["run", "demo/both", "--arg", "x", "--branch", "main"];
    const { code, stderr } = await cli(args, { server });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^signalman: arguments: .*\nsignalman: git_branch: .*\n$/);
  });
});
