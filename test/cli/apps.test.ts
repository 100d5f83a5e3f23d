import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../../src/jobs/apps/find-program.ts";
import { applyDemo, bytesOf, endOf, runDemo, watchToEnd } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { cli } from "./cli.ts";

let service: TestService;
let folder: string;
const STDOUT = 1;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "signalman-apps-test-"));
  const tool = join(folder, "tool");
  await writeFile(tool, `#!/bin/sh\n[ "$1" = --version ] && echo 'tool 7' && exit\necho "$GREETING $*"\n`);
  await chmod(tool, 0o755);
  const apps = {
    tool: { command: tool, args: ["-w"], env: { GREETING: "hello" } },
    absent: { command: "no-such-program" },
  };
  service = await startService({ env: { SIGNALMAN_APPS: JSON.stringify(apps) } });
  await applyDemo(service, {
    node: {
      app: "node",
      script: "console.log(process.argv.slice(2).join(), process.env.STAGE)",
      env: { STAGE: "dev" },
      variables: { a: 1 },
      arguments: ["x"],
    },
    powershell: {
      app: "powershell",
      script: 'Write-Output "$args $($env:STAGE)"',
      env: { STAGE: "dev" },
      variables: { a: 1 },
      arguments: ["x"],
    },
    tool: { app: "tool", script: "" },
    loud: { app: "tool", script: "", env: { GREETING: "hi" } },
    absent: { app: "absent", script: "" },
  });
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function run(template: string) {
  const events = await watchToEnd(service, (await runDemo(service, template)).name);
  return { stdout: bytesOf(events, STDOUT).toString(), end: endOf(events).end };
}

describe("signalman apps", () => {
  test("prints for each app whether it works, its version and path, and the problem if it does not", async () => {
    const { code, stdout } = await cli(["apps"], { server: service.url });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^APP +WORKS +VERSION +PATH$/m);
    expect(stdout).toMatch(/^bash +yes +GNU bash.* \/.*bash$/m);
    expect(stdout).toMatch(new RegExp(`^tool +yes +tool 7 +${folder}/tool$`, "m"));
    expect(stdout).toMatch(/^absent +no$/m);
    expect(stdout).toMatch(/^absent: There is no program no-such-program in the server's PATH; install it$/m);
  });

  test("prints messages as JSON, one per line", async () => {
    const { stdout } = await cli(["apps", "--json"], { server: service.url });
    const apps = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(apps.map(({ name }) => name)).toEqual(apps.map(({ name }) => name).sort());
    expect(apps).toContainEqual({
      name: "tool",
      command: join(folder, "tool"),
      arguments: ["-w"],
      available: true,
      path: join(folder, "tool"),
      version: "tool 7",
    });
    expect(apps.find(({ name }) => name === "absent")).not.toHaveProperty("available");
  });
});

describe("a task", () => {
  test("of app node gets arguments and environment", async () => {
    expect((await run("node")).stdout).toBe("x,a=1 dev\n");
  });

  test("of app powershell gets them, too", async (context) => {
    const found = findProgram({ command: "pwsh", otherwise: "powershell" }, process.env.PATH ?? "");
    if (!found) context.skip("there is no PowerShell on this machine");
    expect((await run("powershell")).stdout).toBe("x a=1 dev\n");
  });

  test("of a declared app gets the app's arguments and environment, which users may override", async () => {
    expect((await run("tool")).stdout).toBe("hello -w tool\n");
    expect((await run("loud")).stdout).toBe("hi -w loud\n");
  });

  test("of an app that is not installed fails and says so", async () => {
    expect((await run("absent")).end?.message).toMatch(/^Cannot run app absent: there is no program no-such/);
  });
});
