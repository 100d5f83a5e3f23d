import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { applyDemo } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { startProgram } from "./cli.ts";
import { dispose } from "./end-tasks.ts";
import { oldNode } from "./old-node.ts";

const SIGNALMAN = fileURLToPath(new URL("../../bin/signalman.js", import.meta.url));
const ON_TERMINAL = fileURLToPath(new URL("./on-terminal.py", import.meta.url));
describe.runIf(oldNode)("bin/signalman.js under an old Node", () => {
  const command = [oldNode ?? "", SIGNALMAN];
  let service: TestService;

  beforeAll(async () => {
    service = await startService();
    await applyDemo(service, {
      fail: "echo out; exit 3",
      wait: { script: "echo started; while :; do sleep 0.05; done", allowParallelTasks: true },
    });
  });
  afterAll(() => dispose(service));

  test("runs with the repository's Node, and passes on output and exit code", async () => {
    const run = startProgram([...command, "run", "demo/fail"], { server: service.url });
    expect(await run.ended).toBe(1);
    expect(run.stdout.toString()).toBe("out\n");
  });

  test("passes signals on", async () => {
    const run = startProgram([...command, "run", "demo/wait"], { server: service.url });
    await run.shows("stdout", "started");
    run.child.kill("SIGTERM");
    expect(await run.ended).toBe(143);
    expect(run.stderr).toContain("the task goes on");
  });

  test("delivers one Ctrl-C on a terminal once", async () => {
    const terminal = ["python3", ON_TERMINAL, "24", "100"];
    const run = startProgram([...terminal, ...command, "run", "demo/wait"], {
      server: service.url,
      keepStdin: true,
    });
    await run.shows("stdout", "started");
    run.child.stdin?.write("\x03");
    await run.shows("stdout", "Ctrl-C again within 2 s");
    expect(await run.ended).toBe(130);
    expect(run.stdout.toString()).not.toContain("killing");
  });
});
