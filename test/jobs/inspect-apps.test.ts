import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Apps } from "../../src/jobs/app.ts";
import { BUILT_IN } from "../../src/jobs/families.ts";
import { createAppInspector } from "../../src/jobs/inspect-apps.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "signalman-programs-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A program of our own. */
function program(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

/** Empty for a process that has ended, whether somebody has taken notice of that or not. */
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
  test("that is there has a path and a version; those of the table are told by name", async () => {
    const reports = await inspect(BUILT_IN);
    expect(reports.map(({ name }) => name)).toEqual(Object.keys(BUILT_IN).sort());
    const byName = Object.fromEntries(reports.map((report) => [report.name, report]));
    expect(byName.bash).toMatchObject({ path: expect.stringMatching(/^\/.*\/bash$/), problem: undefined });
    expect(byName.bash?.version).toMatch(/^GNU bash/);
    expect(byName.node).toMatchObject({ version: process.version, problem: undefined });
    expect(byName.python?.version).toMatch(/^Python 3/);
    expect(byName.sh).toMatchObject({ path: expect.stringMatching(/\/sh$/), problem: undefined });
  });

  test("that is not there says what to do", async () => {
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
  ])("that is named by its path says what is wrong there: %s", async (file, why) => {
    writeFileSync(join(folder, "plain"), "", { mode: 0o644 });
    const path = `${folder}/${file}`;
    expect(await inspectOne(path)).toMatchObject({ problem: `There is no program ${path}: ${why}` });
  });

  test("is found under its other name", async () => {
    const path = program("second", "#!/bin/sh\necho two\n");
    expect(await inspectOne(join(folder, "first"), { otherwise: path })).toMatchObject({
      path,
      version: "two",
    });
  });

  test("may be silent about its version, or say it on stderr, or fail at the question", async () => {
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

  test("is asked without a shell, with its own environment and nothing on stdin", async () => {
    const path = program("curious", `#!/bin/sh\necho "$A $# $1 $(cat | wc -c) $SECRET"\n`);
    process.env.SECRET = "of the server";
    expect((await inspectOne(path, { env: { A: "$(id)" }, args: ["-x"] }))?.version).toBe(
      "$(id) 1 --version 0",
    );
    delete process.env.SECRET;
  });

  test("that thinks for too long, or floods, has no version, and nothing of it is left", async () => {
    const pidFile = join(folder, "pid");
    const slow = program("slow", `#!/bin/sh\nsetsid sleep 1000 & echo $! > ${pidFile}; sleep 1000\n`);
    expect(await inspectOne(slow)).toMatchObject({ path: slow, version: undefined, problem: undefined });
    expect(commandLine(readFileSync(pidFile, "utf8").trim())).toBe("");
    const flood = program("flood", "#!/bin/sh\nyes\n");
    expect(await inspectOne(flood)).toMatchObject({ version: undefined, problem: undefined });
  });
});

test("whoever asks again soon gets the same answer, and no folder is left", async () => {
  const log = join(folder, "calls");
  const path = program("counted", `#!/bin/sh\necho >> ${log}; echo "$HOME"\n`);
  const ask = createAppInspector({ apps: { it: app(path) }, forwarded: {} });
  const [[first]] = await Promise.all([ask(), ask()]);
  await ask();
  expect(readFileSync(log, "utf8")).toBe("\n");
  expect(() => readdirSync(first?.version ?? "")).toThrow("ENOENT");
});
