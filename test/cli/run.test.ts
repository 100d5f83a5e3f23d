import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { SurveyType } from "../../gen/signalman/v1/template_pb.ts";
import { applyDemo } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { cli, startCli } from "./cli.ts";
import { dispose } from "./end-tasks.ts";

let service: TestService;
let server: string;

beforeAll(async () => {
  service = await startService();
  server = service.url;
  await applyDemo(service, {
    both: "echo out; echo err >&2; printf 'no newline'",
    bytes: String.raw`printf '\x00\xff\x1b[31mred\x1b[0m\r\n\n\nlast'`,
    fail: "exit 3",
    pieces: "printf 'first half'; sleep 0.5; echo ' and second'; echo next",
    show: {
      script: 'printf "%s\\n" "$@"; echo "env $STAGE, secret $(printf %s "$token" | wc -c)"',
      allowOverrideArguments: true,
      allowParallelTasks: true,
    },
    asks: {
      script: 'printf "%s\\n" "$@"',
      survey: [
        { name: "text", type: SurveyType.TEXT },
        { name: "choice", type: SurveyType.ENUM, values: [{ value: "1" }, { value: "null" }] },
        { name: "count", type: SurveyType.INT },
      ],
    },
    count: "seq 1 200000",
    wait: "echo started; sleep 1000",
  });
});
afterAll(() => dispose(service));

describe("signalman run", () => {
  test("shows the task's stdout on stdout and its stderr on stderr, and exits with 0 after a success", async () => {
    const { code, stdout, stderr } = await cli(["run", "demo/both"], { server });
    expect(code).toBe(0);
    expect(stdout).toBe("out\nno newline");
    expect(stderr).toMatch(/^err$/m);
    expect(stderr).toMatch(/^signalman: demo\/[0-9a-f-]{36} SUCCESS after [\d.]+ s$/m);
  });

  test.each([
    ["all but colors", [], {}, "\x00\xffred\r\n\n\nlast"],
    ["every one with --raw", ["--raw"], {}, "\x00\xff\x1b[31mred\x1b[0m\r\n\n\nlast"],
    ["every one where colors are forced", [], { FORCE_COLOR: "1" }, "\x00\xff\x1b[31mred\x1b[0m\r\n\n\nlast"],
    ["those of text with --plain", ["--plain"], {}, "\x00\xffred\r\n\n\nlast"],
  ])(
    "hands the bytes through in a pipe, %s, and nothing of ours is among them",
    async (_, args, env, bytes) => {
      const run = startCli(["run", "demo/bytes", ...args], { server, env });
      expect(await run.ended).toBe(0);
      expect(run.stdout).toEqual(Buffer.from(bytes, "latin1"));
    },
  );

  test("says once in a pipe what its task waits for", async () => {
    const first = startCli(["run", "demo/wait"], { server });
    await first.shows("stdout", "started");
    const second = startCli(["run", "demo/wait"], { server });
    await second.shows("stderr", /^signalman: the task waits: the template runs one task at a time, .*\n/m);
    await cli(["kill", "--template", "demo/wait"], { server });
    expect(await Promise.all([first.ended, second.ended])).toEqual([3, 3]);
    expect(second.stderr.match(/the task waits/g)).toHaveLength(1);
  });

  test("prints every line of a long log in order", async () => {
    const { stdout } = await cli(["run", "demo/count"], { server });
    expect(stdout).toBe(Array.from({ length: 200_000 }, (_, i) => `${i + 1}\n`).join(""));
  });

  test("exits with 1 and says why after a failure", async () => {
    const { code, stderr } = await cli(["run", "demo/fail"], { server });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^signalman: The program ended with exit code 3\nsignalman: demo\S+ ERROR after/m);
  });

  test("exits with 3 when the task was stopped", async () => {
    const run = startCli(["run", "demo/wait"], { server });
    await run.shows("stdout", "started");
    const task = /demo\/[0-9a-f-]{36}/.exec(run.stderr)?.[0] ?? "";
    const kill = await cli(["kill", task, "--force", "--reason", "enough"], { server });
    expect(kill).toMatchObject({ code: 0, stdout: `${task} asked to stop (STOPPING)\n` });
    expect(await run.ended).toBe(3);
    expect(run.stderr).toContain("signalman: Killed: enough\n");
    expect(run.stderr).toMatch(/ STOPPED after [\d.]+ s: killed: enough\n$/);
  });

  test("puts the time before each line, once for all its pieces", async () => {
    const { stdout, stderr } = await cli(["run", "demo/pieces", "--timestamps"], { server });
    const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`;
    expect(stdout).toMatch(new RegExp(`^${time} first half and second\n${time} next\n$`));
    expect(stderr).toMatch(new RegExp(`^signalman: ${time} Running `, "m"));
  });

  test("hands on variables, secrets, environment and arguments", async () => {
    const args = [
      "-e",
      "n=2",
      "-e",
      "version=1.10",
      "-e",
      'list=[1,"a"]',
      "--arg",
      "--flag",
      "--env",
      "STAGE=a=b",
    ];
    const secret = { token: "from the environment" };
    const { stdout } = await cli(["run", "demo/show", ...args, "--secret", "token"], { server, env: secret });
    expect(stdout.split("\n")).toEqual([
      'list=[1,"a"]',
      "n=2",
      "version=1.10",
      "--flag",
      "env a=b, secret 20",
      "",
    ]);
  });

  test("takes answers to questions of text as they are typed", async () => {
    const answers = ["text=[1,  2]", "choice=null", "count=7"].flatMap((answer) => ["-e", answer]);
    const { stdout, code } = await cli(["run", "demo/asks", ...answers, "-e", "other=[1,  2]"], { server });
    expect([code, stdout]).toEqual([0, "choice=null\ncount=7\nother=[1,2]\ntext=[1,  2]\n"]);
  });

  test("sends labels, message, priority and time-outs", async () => {
    const args = [
      "--label",
      "team=web",
      "--message",
      "hi",
      "--priority",
      "7",
      "--run-timeout",
      "1m30s",
      "--queue-timeout",
      "90",
    ];
    const { stdout } = await cli(["run", "demo/show", ...args, "--no-watch"], { server });
    const name = stdout.trim();
    expect(name).toMatch(/^projects\/demo\/tasks\//);
    const { task } = await service.client(TaskService).getTask({ name });
    expect(task).toMatchObject({ labels: { team: "web" }, message: "hi", priority: 7 });
    expect(task).toMatchObject({ runTimeout: { seconds: 90n }, queueTimeout: { seconds: 90n } });
  });

  test("makes one task of two calls with one request id", async () => {
    const args = ["run", "demo/both", "--no-watch", "--request-id", "0192f0c1-0000-7000-8000-000000000001"];
    const [first, second] = await Promise.all([cli(args, { server }), cli(args, { server })]);
    expect(first.stdout).toBe(second.stdout);
  });

  test("prints events as JSON, one a line, with text beside the bytes", async () => {
    const { code, stdout } = await cli(["run", "demo/both", "--json"], { server });
    const events = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(code).toBe(0);
    expect(events[0].snapshot.task.template).toBe("projects/demo/templates/both");
    expect(events.at(-1).end.task.status).toBe("TASK_STATUS_SUCCESS");
    const lines = events.flatMap((event) => event.log?.lines ?? []);
    expect(lines).toContainEqual(
      expect.objectContaining({ stream: "LOG_STREAM_STDOUT", content: "b3V0", text: "out" }),
    );
    expect(new Set(events.map((event) => event.resumeToken)).size).toBeGreaterThan(2);
  });

  test("leaves text out of JSON if the bytes are not UTF-8", async () => {
    const { stdout } = await cli(["run", "demo/bytes", "--json"], { server });
    const lines = stdout
      .trim()
      .split("\n")
      .flatMap((line) => JSON.parse(line).log?.lines ?? []);
    const own = lines.filter((line) => line.stream === "LOG_STREAM_STDOUT");
    expect(own.map((line) => line.text)).toEqual([undefined, "", "", "last"]);
  });

  test("ends without an error when the reader closes the pipe, and the task goes on", async () => {
    const run = startCli(["run", "demo/wait"], { server, ownStdout: true });
    run.child.stdout?.destroy();
    await run.shows("stderr", "signalman: demo/");
    const name = /demo\/[0-9a-f-]{36}/.exec(run.stderr)?.[0] ?? "";
    expect(await run.ended).toBe(141);
    expect(run.stderr).not.toMatch(/EPIPE|Error/);
    expect(await cli(["kill", name, "--force"], { server })).toMatchObject({ code: 0 });
  });
});

describe("the repository's bin", () => {
  test("is run by node, as its first line says", async () => {
    const text = await readFile(new URL("../../bin/signalman.js", import.meta.url), "utf8");
    expect(text.startsWith("#!/usr/bin/env node\n")).toBe(true);
  });
});
