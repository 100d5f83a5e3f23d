import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { SurveyType } from "../../gen/signalman/v1/template_pb.ts";
import { applyDemo } from "../support/demo.ts";
import { SIGNALMAN } from "../support/program.ts";
import { startService, type TestService } from "../support/service.ts";
import { type Cli, cli, startProgram } from "./cli.ts";
import { Terminal } from "./terminal.ts";

const ON_TERMINAL = fileURLToPath(new URL("./on-terminal.py", import.meta.url));
const ROWS = 40;
const COLUMNS = 100;

let service: TestService;

beforeAll(async () => {
  service = await startService();
  const script = 'printf "%s\\n" "$@"; echo "token $token"';
  await applyDemo(service, {
    survey: {
      script,
      survey: [
        { name: "greeting", title: "What to say", description: "Aloud", default: "hello" },
        { name: "count", type: SurveyType.INT, required: true },
        {
          name: "stage",
          title: "Where",
          type: SurveyType.ENUM,
          required: true,
          values: [{ value: "dev", name: "Development" }, { value: "2" }, { value: "prod" }],
        },
        { name: "note" },
        { name: "token", type: SurveyType.SECRET, required: true },
      ],
    },
    plain: script,
    plainly: { script, survey: [{ name: "note" }] },
  });
});
afterAll(() => service[Symbol.asyncDispose]());

function onTerminal(...args: string[]) {
  const command = ["python3", ON_TERMINAL, String(ROWS), String(COLUMNS), process.execPath, SIGNALMAN];
  return startProgram([...command, "run", ...args], {
    server: service.url,
    env: { TERM: "dumb" },
    keepStdin: true,
  });
}

function shown(run: Cli): string {
  const terminal = new Terminal(ROWS, COLUMNS);
  terminal.write(run.stdout.toString());
  return terminal.text;
}

test("asks also where stdout is a pipe", async () => {
  const command = `"$0" "$1" run demo/plainly | tee /dev/null`;
  const run = startProgram(
    ["python3", ON_TERMINAL, String(ROWS), String(COLUMNS), "sh", "-c", command, process.execPath, SIGNALMAN],
    { server: service.url, env: { TERM: "dumb" }, keepStdin: true },
  );
  await reply(run, "note", "hello");
  expect(await run.ended).toBe(0);
  expect(shown(run)).toContain("note=hello");
});

/** Types a line once the question is there. */
async function reply(run: Cli, question: string, text: string) {
  await run.shows("stdout", question);
  run.child.stdin?.write(`${text}\r`);
}

const tasks = async () =>
  (await service.client(TaskService).listTasks({ parent: "projects/demo" })).tasks.length;

describe("the survey of a template, on a terminal", () => {
  test("is asked question by question, wrong answers again, secrets without showing them", async () => {
    const run = onTerminal("demo/survey");
    await reply(run, "What to say (text) [hello]: ", "");
    await reply(run, "count (a whole number, required): ", "many");
    await reply(run, "it must be a whole number, not many", "");
    await reply(run, "an answer is required", "007");
    await reply(run, "Where (a number or a value, required): ", "4");
    await reply(run, "it must be one of dev, 2, prod, or its number", "1");
    await reply(run, "note (text): ", "[1]");
    await reply(run, "token (a secret, not shown, required): ", "top secret");
    expect(await run.ended).toBe(0);
    const text = shown(run);
    expect(text).toContain("signalman: Aloud\n");
    expect(text).toContain("1) dev (Development)\n");
    expect(text).toMatch(/^count=7\ngreeting=hello\nnote=\[1\]\nstage=dev\ntoken \*\*\*$/m);
    expect(text).not.toContain("top");
  });

  test("takes a value of an enum before a number, and lines that were typed ahead", async () => {
    const run = onTerminal("demo/survey");
    await reply(run, "What to say", "hi\r1\r2\r\rsecret");
    expect(await run.ended).toBe(0);
    expect(shown(run)).toMatch(/^count=1\ngreeting=hi\nstage=2\ntoken \*\*\*$/m);
  });

  test("asks only what was not answered", async () => {
    const given = [
      "-e",
      "greeting=x",
      "-e",
      "count=1",
      "-e",
      "stage=dev",
      "-e",
      "note=",
      "--secret",
      "token=y",
    ];
    const run = onTerminal("demo/survey", ...given);
    expect(await run.ended).toBe(0);
    expect(shown(run)).not.toContain("What to say");
    const plain = onTerminal("demo/plain");
    expect(await plain.ended).toBe(0);
  });

  test("Ctrl-C, or the end of the input, at a question starts nothing", async () => {
    const before = await tasks();
    const run = onTerminal("demo/survey");
    await reply(run, "What to say", "");
    await run.shows("stdout", "count (");
    run.child.stdin?.write("\x03");
    expect(await run.ended).toBe(130);
    const closed = onTerminal("demo/survey");
    await closed.shows("stdout", "What to say");
    closed.child.stdin?.write("\x04");
    expect(await closed.ended).toBe(2);
    expect(shown(closed)).toMatch(/^signalman: no answer/m);
    expect(await tasks()).toBe(before);
  });

  test("is not asked with --no-input: the service says what is missing", async () => {
    const run = onTerminal("demo/survey", "--no-input");
    expect(await run.ended).toBe(2);
    expect(shown(run)).toMatch(/^signalman: variables\["count"\]: is required$/m);
  });

  test("nor is a secret", async () => {
    const run = onTerminal("demo/plain", "--no-input", "--secret", "token");
    expect(await run.ended).toBe(2);
    expect(shown(run)).toMatch(/--secret token: there is no token in the environment/);
  });
});

test("without a terminal nothing is asked", async () => {
  const { code, stderr } = await cli(["run", "demo/survey"], { server: service.url, input: "x\n1\n" });
  expect(code).toBe(2);
  expect(stderr).toMatch(/^signalman: variables\["count"\]: is required$/m);
});
