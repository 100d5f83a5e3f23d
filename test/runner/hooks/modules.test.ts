import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LogStream } from "../../../gen/signalman/v1/task_pb.ts";
import { TemplateType } from "../../../gen/signalman/v1/template_pb.ts";
import { loadHookModules } from "../../../src/runner/hook-modules.ts";
import { cli } from "../../cli/cli.ts";
import { endOf, follow } from "../../faults/follow.ts";
import { idOf } from "../../faults/traces.ts";
import { runDemo } from "../../support/demo.ts";
import { SERVE } from "../../support/program.ts";
import { startService, type TestService } from "../../support/service.ts";
import { AFTER_TASK, applyHooked, BEFORE_TASK, kill, program, runToEnd } from "./hooked.ts";

const example = (name: string) => fileURLToPath(new URL(`../../../examples/hooks/${name}`, import.meta.url));

let folder: string;
let service: TestService;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "signalman-modules-"));
  const noting = await module(
    "noting.mjs",
    `export default [1, 2].map((n) => ({
       name: "noting",
       appliesTo: (app) => app === "bash",
       async before({ say }) { say("before " + n); },
       async after({ say }, outcome) { say("after " + n); return { ...outcome, message: "noted" }; },
     }));`,
  );
  service = await startService({
    env: {
      SIGNALMAN_HOOKS: [example("audit.mjs"), example("freeze.mjs"), noting].join(","),
      AUDIT_FILE: join(folder, "audit.jsonl"),
      FREEZE_FILE: join(folder, "freeze"),
    },
  });
  await applyHooked(service, {
    plain: {
      script: "true",
      hooks: [
        { name: "own before", event: BEFORE_TASK, ...program("true") },
        { name: "own after", event: AFTER_TASK, ...program("true") },
      ],
    },
    fails: "exit 3",
    deploy: { script: "true", type: TemplateType.DEPLOY },
  });
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function module(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

test("hooks of modules run before every task in order and after it in reverse", async () => {
  const { said, message } = await runToEnd(service, "plain");
  const noted = said.filter((line) => /^(before|after) \d$/.test(line));
  expect(noted).toEqual(["before 1", "before 2", "after 2", "after 1"]);
  expect(message).toBe("noted");
});

describe("the examples of hooks", () => {
  test("audit writes a line for each task", async () => {
    const { task } = await runToEnd(service, "fails");
    const lines = (await readFile(join(folder, "audit.jsonl"), "utf8")).trim().split("\n");
    expect(lines.map((line) => JSON.parse(line)).find((line) => line.task === idOf(task))).toMatchObject({
      template: "projects/demo/templates/fails",
      status: "ERROR",
      reason: "EXIT_CODE",
    });
  });

  test("freeze refuses deploys while its file exists", async () => {
    await writeFile(join(folder, "freeze"), "until Monday\n");
    expect(await runToEnd(service, "deploy")).toMatchObject({ status: "ERROR", reason: "PREPARE_FAILED" });
    expect((await runToEnd(service, "plain")).status).toBe("SUCCESS");
    await rm(join(folder, "freeze"));
    expect((await runToEnd(service, "deploy")).status).toBe("SUCCESS");
  });
});

test("can be applied as a catalog, and its hooks run", async () => {
  const options = { server: service.url, env: { CHAT_TOKEN: "Bearer of the example" } };
  expect(await cli(["apply", example("catalog.yaml")], options)).toMatchObject({ code: 0 });
  const run = await cli(["run", "hooked/hello"], options);
  expect(run).toMatchObject({ code: 0 });
  expect(run.stderr).toMatch(/^signalman: disk: Filesystem/m);
  expect(run.stderr).toMatch(/^signalman: smoke-test: checked after SUCCESS$/m);
});

describe("a hook of a module that breaks the rules does not block its task:", () => {
  const CASES: [string, string, string, RegExp][] = [
    ["a hook that returns nothing has no effect on the end", "after() {}", "SUCCESS", /^looked on$/],
    [
      "a value that is not an outcome is ignored",
      "after: () => ({ status: 'FINE' })",
      "SUCCESS",
      /neither undefined nor a task outcome$/,
    ],
    [
      "an exit code that cannot be stored is ignored",
      "after: (c, outcome) => ({ ...outcome, exitCode: 2 ** 31 })",
      "SUCCESS",
      /neither undefined nor a task outcome$/,
    ],
    [
      "a signal name that cannot be stored is ignored",
      "after: (c, outcome) => ({ ...outcome, signal: '\\0' })",
      "SUCCESS",
      /neither undefined nor a task outcome$/,
    ],
    ["an error in appliesTo fails the task", "appliesTo() { throw Error('which?') }", "ERROR", /which\?$/],
    ["an error in after is reported", "after() { throw Error('oh') }", "SUCCESS", /^Hook bad failed: oh$/],
  ];
  test.each(CASES)("%s", async (_, text, status, line) => {
    const path = await module(
      "bad.mjs",
      `export default [
         { name: "bad", appliesTo: () => true, before() {}, ${text} },
         { name: "last", appliesTo: () => true, after(c, outcome) { c.say("looked on"); } },
       ];`,
    );
    await using other = await startService({ env: { SIGNALMAN_HOOKS: path } });
    await applyHooked(other, { plain: "true" });
    const ended = await runToEnd(other, "plain");
    expect(ended.status).toBe(status);
    expect(ended.said.some((said) => line.test(said))).toBe(true);
  });

  test.each(["before", "after"])(
    "one that hangs %s the task and ignores its signal ends by a kill",
    async (when) => {
      const path = await module(
        "deaf.mjs",
        `export default { name: "deaf", appliesTo: () => true, ${when}(c) { c.say("waiting"); return new Promise(() => {}); } };`,
      );
      await using other = await startService({ env: { SIGNALMAN_HOOKS: path } });
      await applyHooked(other, { plain: "true" });
      const { name } = await runDemo(other, "plain");
      using follower = follow(other, name);
      await follower.says("waiting", LogStream.SYSTEM);
      await kill(other, name);
      expect(endOf(await follower.ended).status).toBe("STOPPED");
    },
  );
});

describe("a module is refused by its name if it", () => {
  const CASES: [string, string | undefined, RegExp][] = [
    [
      "is not there",
      undefined,
      /^Cannot load the hooks of .*\/bad-is-not-there\.mjs: there is no such file$/,
    ],
    [
      "needs what is not there",
      "import '../../hooks/nowhere.mjs'; export default [];",
      /^Cannot load the hooks of .*: Cannot find module .*nowhere\.mjs' imported from .*\/bad-needs/,
    ],
    ["is broken", "export default {", /^Cannot load the hooks of .*\/bad-is-broken\.mjs: /],
    ["throws", "throw new Error('no licence')", /^Cannot load the hooks of .*\/bad-throws\.mjs: no licence$/],
    ["exports nothing", "export const hook = {};", /its default export must be a hook or a list of hooks$/],
    [
      "exports a hook without a name",
      "export default [{}];",
      /a hook must have a name, a text that is not empty$/,
    ],
    [
      "tells no apps",
      "export default { name: 'x', before() {} };",
      /hook x must have a function appliesTo\(app\)$/,
    ],
    [
      "does nothing",
      "export default { name: 'x', appliesTo: () => true };",
      /hook x must have a function before or after, or both$/,
    ],
  ];
  test.each(CASES)("%s", async (what, text, message) => {
    const name = `bad-${what.replaceAll(" ", "-")}.mjs`;
    if (text !== undefined) await module(name, text);
    await expect(loadHookModules([join(folder, name)])).rejects.toThrow(message);
  });

  test("takes too long to load", async () => {
    const path = await module(
      "bad-slow.mjs",
      "await new Promise((loaded) => setTimeout(loaded, 60_000).unref());",
    );
    await expect(loadHookModules([path], 50)).rejects.toThrow(
      `Cannot load the hooks of ${path}: it takes longer than 0.05 s`,
    );
  });

  test("and the server does not start", async () => {
    const path = join(folder, "nowhere.mjs");
    await expect(startService({ env: { SIGNALMAN_HOOKS: path } })).rejects.toThrow(
      `Cannot load the hooks of ${path}: `,
    );
  });
});

test("a server that is still loading a module ends by SIGTERM", async () => {
  const text = 'console.error("loading"); await new Promise((loaded) => setTimeout(loaded, 600_000));';
  const env = {
    PATH: process.env.PATH,
    SIGNALMAN_DATA_DIR: join(folder, "data"),
    SIGNALMAN_HOOKS: await module("slow.mjs", text),
  };
  const child = spawn(process.execPath, [SERVE], { env, stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(child, "exit");
  createInterface({ input: child.stderr }).on("line", (line) => {
    if (line === "loading") child.kill("SIGTERM");
  });
  expect(await ended).toEqual([0, null]);
});
