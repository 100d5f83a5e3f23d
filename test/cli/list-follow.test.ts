import { once } from "node:events";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { applyDemo, runDemo, watchToEnd } from "../support/demo.ts";
import { SIGNALMAN } from "../support/program.ts";
import { startService, type TestService } from "../support/service.ts";
import { type Cli, cli, startCli, startProgram } from "./cli.ts";
import { dispose } from "./end-tasks.ts";

const ON_TERMINAL = fileURLToPath(new URL("on-terminal.py", import.meta.url));

let service: TestService;
beforeAll(async () => {
  service = await startService({ env: { SIGNALMAN_MAX_PARALLEL_TASKS: "3" } });
  await applyDemo(service, {
    quick: { script: "exit 3", allowParallelTasks: true },
    wait: { script: "sleep 1000", allowParallelTasks: true },
  });
});
afterAll(() => dispose(service));

const tasks = () => service.client(TaskService);
const short = (name: string) => name.replace(/^projects\/demo\/tasks/, "demo");
const killAll = () => tasks().killTasks({ template: "projects/demo/templates/wait", force: true });

describe("signalman list --follow into a pipe", () => {
  test("prints tasks that have not ended, then a line for each change, across a restart of the server", async () => {
    const before = await runDemo(service, "wait");
    const run = startCli(["list", "demo", "--follow"], { server: service.url });
    await run.shows("stdout", `${short(before.name)} demo/wait`);
    const { name } = await runDemo(service, "quick");
    await run.shows("stdout", `${short(name)} demo/quick ERROR: `);
    const lines = run.stdout
      .toString()
      .split("\n")
      .filter((line) => line.includes(short(name)));
    expect(lines.map((line) => line.split(" ").slice(1, 4).join(" "))).toEqual(
      ["WAITING", "STARTING", "RUNNING", "ERROR:"].map((word) => `${short(name)} demo/quick ${word}`),
    );
    expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /);
    await service.kill("SIGKILL");
    await run.shows("stderr", "signalman: the connection broke");
    await service.start();
    await killAll();
    await run.shows("stdout", `${short(before.name)} demo/wait STOPPED`);
    expect(run.stderr).toContain("signalman: connected again");
    run.child.kill("SIGINT");
    expect(await run.ended).toBe(130);
  });

  test("prints the messages of tasks that pass the filter as JSON", async () => {
    const run = startCli(["list", "--follow", "--json", "--filter", "labels.team = web"], {
      server: service.url,
    });
    await run.shows("stdout", '"synced"');
    await runDemo(service, "quick");
    await runDemo(service, "quick", { labels: { team: "web" } });
    await run.shows("stdout", '"END_REASON_EXIT_CODE"');
    const messages = run.stdout
      .toString()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(messages.map((message) => Object.keys(message).at(-1))).toEqual([
      "synced",
      "change",
      "change",
      "change",
      "change",
    ]);
    run.child.kill("SIGTERM");
    expect(await run.ended).toBe(143);
  });

  test("says what is wrong with a filter, and what does not exist", async () => {
    const wrong = await cli(["list", "--follow", "--filter", "status = RUNNING"], { server: service.url });
    expect({ code: wrong.code, stderr: wrong.stderr }).toEqual({
      code: 2,
      stderr: expect.stringMatching(/^signalman: filter: /),
    });
    expect((await cli(["list", "none", "--follow"], { server: service.url })).code).toBe(2);
  });
});

test("list --follow excludes --order and --limit", async () => {
  for (const option of [
    ["--order", "end_time"],
    ["--limit", "3"],
  ]) {
    const { code, stderr } = await cli(["list", "--follow", ...option], { server: service.url });
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining("cannot be used with") });
  }
});

describe("signalman list --follow on a terminal", () => {
  const COLUMNS = 100;
  /** The command line on a terminal, with what it shows now. */
  function onTerminal(rows: number) {
    const args = ["python3", ON_TERMINAL, String(rows), String(COLUMNS), process.execPath, SIGNALMAN];
    return startProgram([...args, "list", "demo", "--follow"], {
      server: service.url,
      env: { TERM: "xterm" },
      keepStdin: true,
    });
  }
  /** Last complete frame, as the terminal shows it. */
  function screen(run: Cli): string[] {
    const frames = run.stdout.toString().split("\x1b[H").slice(1);
    const last = frames.findLast((frame) => frame.includes("\x1b[J")) ?? "";
    return stripVTControlCharacters(last.split("\x1b[J")[0] ?? "").split(/\r?\n/);
  }
  async function until(run: Cli, isShown: (lines: string[]) => boolean): Promise<string[]> {
    while (!isShown(screen(run))) {
      const isOver = await Promise.race([
        once(run.child.stdout as Readable, "data").then(() => false),
        run.ended.then(() => true),
      ]);
      if (isOver) throw new Error(`It ended with:\n${screen(run).join("\n")}`);
    }
    return screen(run);
  }

  test("shows tasks that run, wait or have just ended, in a table that follows the size of the terminal", async () => {
    const names: string[] = [];
    for (let i = 0; i < 6; i++)
      names.push((await runDemo(service, "wait", { message: "x".repeat(200) })).name);
    const run = onTerminal(20);
    const lines = await until(run, (all) => all.filter((line) => line.includes("RUNNING")).length === 3);
    expect(lines[0]).toMatch(/^TASK +TEMPLATE +STATUS +AGE +DURATION +MESSAGE$/);
    expect(lines.slice(1, 7).map((line) => line.split(" ")[0])).toEqual(names.map(short));
    expect(lines.slice(4, 7).every((line) => line.includes(" WAITING "))).toBe(true);
    expect(lines.at(-1)).toBe("live; Ctrl-C leaves");
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(COLUMNS);

    run.child.stdin?.write("\x1b[8;6;60t");
    const small = await until(run, (all) => all.length <= 6 && all.some((line) => line.startsWith("… and ")));
    expect(small.at(-2)).toBe("… and 3 WAITING");
    // The first column stays; the last ones are cut.
    expect(small[1]?.split(" ")[0]).toBe(short(names[0] ?? ""));

    run.child.stdin?.write("\x1b[8;20;100t");
    await killAll();
    await until(run, (all) => all.filter((line) => line.includes("STOPPED")).length === 6);
    run.child.stdin?.write("\x03");
    expect(await run.ended).toBe(130);
    expect(run.stdout.toString().startsWith("\x1b[?1049h\x1b[?25l\x1b[?7l")).toBe(true);
    expect(run.stdout.toString().endsWith("\x1b[?7h\x1b[?25h\x1b[?1049l")).toBe(true);
  });
});

describe("signalman kill --template", () => {
  test("stops all tasks of the template and reports each", async () => {
    const { name } = await runDemo(service, "wait");
    const { code, stdout } = await cli(["kill", "--template", "demo/wait", "--force"], {
      server: service.url,
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^${short(name)} (asked to stop|stopped before it started)\n$`));
    await watchToEnd(service, name);
  });

  test("says that no task was waiting or running", async () => {
    const { code, stdout, stderr } = await cli(["kill", "--template", "demo/quick"], { server: service.url });
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: "",
      stderr: "signalman: no task of projects/demo/templates/quick was waiting or running\n",
    });
  });

  test("takes either tasks or a template", async () => {
    const { name } = await runDemo(service, "quick");
    for (const args of [["kill"], ["kill", name, "--template", "demo/wait"]]) {
      const { code, stderr } = await cli(args, { server: service.url });
      expect({ code, stderr }).toEqual({
        code: 2,
        stderr: "signalman: kill needs either tasks or --template PROJECT/TEMPLATE\n",
      });
    }
  });
});

describe("signalman delete", () => {
  test("deletes tasks that have ended, and reports those that it cannot delete", async () => {
    const made = [await runDemo(service, "quick"), await runDemo(service, "quick")];
    const names = made.map(({ name }) => short(name));
    for (const { name } of made) await watchToEnd(service, name);
    const { code, stdout } = await cli(["delete", ...names], { server: service.url });
    expect({ code, stdout }).toEqual({ code: 0, stdout: names.map((name) => `${name} deleted\n`).join("") });
    const again = await cli(["delete", names[0] ?? ""], { server: service.url });
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining("(not_found)") });
    const running = await runDemo(service, "wait");
    const early = await cli(["delete", running.name], { server: service.url });
    expect(early).toMatchObject({ code: 2, stderr: expect.stringContaining("(failed_precondition)") });
    await killAll();
  });
});

describe("signalman list --order", () => {
  test("prints tasks in the requested order", async () => {
    const list = async (order: string) => {
      const { stdout } = await cli(["list", "demo", "--json", "--order", order], { server: service.url });
      return stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).name);
    };
    const oldest = await list("create_time");
    expect(oldest.length).toBeGreaterThan(3);
    expect(await list("create_time desc")).toEqual(oldest.toReversed());
  });
});
