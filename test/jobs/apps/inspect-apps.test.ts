import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Apps } from "../../../src/jobs/apps/app.ts";
import { createAppInspector } from "../../../src/jobs/apps/inspect-apps.ts";
import { BUILT_IN } from "../../../src/jobs/families/all.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "signalman-programs-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes a program for a test. */
function program(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

/** Returns the command line of a process; empty if it has ended, reaped or not. */
function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

const app = (command: string, more = {}) => ({ command, args: [], ...more });
const inspect = (apps: Apps) => createAppInspector({ apps, forwarded: {} })();

async function inspectOne(command: string, more = {}) {
  const [report] = await inspect({ it: app(command, more) });
  return report;
}

describe("an app", () => {
  test("that is installed has a path and a version; apps are listed by name", async () => {
    const reports = await inspect(BUILT_IN);
    expect(reports.map(({ name }) => name)).toEqual(Object.keys(BUILT_IN).sort());
    const byName = Object.fromEntries(reports.map((report) => [report.name, report]));
    expect(byName.bash).toMatchObject({ path: expect.stringMatching(/^\/.*\/bash$/), problem: undefined });
    expect(byName.bash?.version).toMatch(/^GNU bash/);
    expect(byName.node).toMatchObject({ version: process.version, problem: undefined });
    expect(byName.python?.version).toMatch(/^Python 3/);
    expect(byName.sh).toMatchObject({ path: expect.stringMatching(/\/sh$/), problem: undefined });
  });

  test("that is not installed says what to do", async () => {
    const report = await inspectOne("no-such-program", { otherwise: "nor-this" });
    expect(report?.path).toBeUndefined();
    expect(report?.problem).toBe(
      `There is no program no-such-program or nor-this in the server's PATH; install it`,
    );
  });

  test.each([
    ["missing", "there is no such file"],
    ["", "it is not a file"],
    ["plain", "the server's user may not execute it"],
  ])("given by its path says why it cannot be executed: %s", async (file, why) => {
    writeFileSync(join(folder, "plain"), "", { mode: 0o644 });
    const path = `${folder}/${file}`;
    expect(await inspectOne(path)).toMatchObject({ problem: `There is no program ${path}: ${why}` });
  });

  test("is found by its fallback name", async () => {
    const path = program("second", "#!/bin/sh\necho two\n");
    expect(await inspectOne(join(folder, "first"), { otherwise: path })).toMatchObject({
      path,
      version: "two",
    });
  });

  test("may print no version, print it to stderr, or fail at --version", async () => {
    expect(await inspectOne(program("mute", "#!/bin/sh\n"))).toMatchObject({
      version: undefined,
      problem: undefined,
    });
    const loud = program("loud", "#!/bin/sh\necho >&2; echo '  1.2  ' >&2; echo more >&2\n");
    expect(await inspectOne(loud)).toMatchObject({ version: "1.2" });
    const failing = program("failing", "#!/bin/sh\necho usage; exit 2\n");
    expect(await inspectOne(failing)).toMatchObject({ version: undefined, problem: undefined });
  });

  test("that cannot be executed says why", async () => {
    const orphan = program("orphan", "#!/no/such/interpreter\n");
    expect((await inspectOne(orphan))?.problem).toBe(
      `${orphan} cannot be started: ENOENT; repair or reinstall it`,
    );
    const shim = program("shim", "#!/bin/sh\necho 'shim: command not found' >&2; exit 127\n");
    expect((await inspectOne(shim))?.problem).toBe(
      `${shim} cannot be started: shim: command not found; repair or reinstall it`,
    );
  });

  test("is run without a shell, with its own environment and an empty stdin", async () => {
    const path = program("curious", `#!/bin/sh\necho "$A $# $1 $(cat | wc -c) $SECRET"\n`);
    process.env.SECRET = "of the server";
    expect((await inspectOne(path, { env: { A: "$(id)" }, args: ["-x"] }))?.version).toBe(
      "$(id) 1 --version 0",
    );
    delete process.env.SECRET;
  });

  test("that takes too long or prints too much has no version, and leaves no process", async () => {
    const pidFile = join(folder, "pid");
    const slow = program("slow", `#!/bin/sh\nsetsid sleep 1000 & echo $! > ${pidFile}; sleep 1000\n`);
    expect(await inspectOne(slow)).toMatchObject({ path: slow, version: undefined, problem: undefined });
    expect(commandLine(readFileSync(pidFile, "utf8").trim())).toBe("");
    const flood = program("flood", "#!/bin/sh\nyes\n");
    expect(await inspectOne(flood)).toMatchObject({ version: undefined, problem: undefined });
  });
});

test("reports are cached for a while, and no folder is left", async () => {
  const log = join(folder, "calls");
  const path = program("counted", `#!/bin/sh\necho >> ${log}; echo "$HOME"\n`);
  const ask = createAppInspector({ apps: { it: app(path) }, forwarded: {} });
  const [[first]] = await Promise.all([ask(), ask()]);
  await ask();
  expect(readFileSync(log, "utf8")).toBe("\n");
  expect(() => readdirSync(first?.version ?? "")).toThrow("ENOENT");
});
