import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startProgram } from "./cli.ts";

const QUICKSTART = fileURLToPath(new URL("../../examples/quickstart/quickstart.ts", import.meta.url));

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "signalman-test-quickstart-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const start = (...args: string[]) =>
  startProgram([process.execPath, QUICKSTART, ...args], { env: { TMPDIR: folder, LANG: "C.UTF-8" } });

/** Command lines of all processes whose arguments or environment name the folder. */
async function programsOf(path: string): Promise<string[]> {
  const ids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const read = (id: string, file: string) => readFile(`/proc/${id}/${file}`, "utf8").catch(() => "");
  const all = await Promise.all(
    ids.map(async (id) => ({ line: await read(id, "cmdline"), env: await read(id, "environ") })),
  );
  return all.filter(({ line, env }) => line.includes(path) || env.includes(path)).map(({ line }) => line);
}

async function expectNothingLeft(): Promise<void> {
  expect(await programsOf(folder)).toEqual([]);
  expect((await readdir(folder)).filter((name) => name.startsWith("signalman-"))).toEqual([]);
}

describe("the quickstart", () => {
  test("shows a run from end to end and leaves nothing behind", async () => {
    const run = start("-e", "name=Ada", "-e", "steps=2", "-e", "style=loud");
    expect(await run.ended).toBe(0);
    expect(run.stdout.toString()).toContain("HELLO, ADA!");
    expect(run.stdout.toString()).toContain("\rstep 2 of 2 ...");
    expect(run.stderr).toContain("This is stage dev");
    await expectNothingLeft();
  });

  test("ends as `signalman run` does", async () => {
    const run = start("-e", "steps=x");
    expect(await run.ended).toBe(2);
    expect(run.stderr).toMatch(/^signalman: variables\["steps"\]: must be a whole number/m);
    await expectNothingLeft();
  });

  test("Ctrl-C ends the task and everything else", async () => {
    const run = start("-e", "steps=1000");
    await run.shows("stdout", "step 2 of 1000");
    run.child.kill("SIGINT");
    expect(await run.ended).toBe(3);
    await expectNothingLeft();
  });

  test("Ctrl-C while the server starts ends it", async () => {
    const run = start();
    await run.shows("stderr", "starting a server");
    run.child.kill("SIGINT");
    expect(await run.ended).toBe(130);
    expect(run.stdout.toString()).toBe("");
    await expectNothingLeft();
  });
});
