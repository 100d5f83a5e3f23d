import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { createFitness, shortageIn } from "../../src/pool/fitness.ts";
import { PrepareError } from "../../src/task/errors.ts";

const withCode = (code: string) =>
  new PrepareError("Cannot make the workspace", { cause: Object.assign(new Error(code), { code }) });

/** A fitness with a machine and a clock that the test controls. */
function make() {
  const machine = { trouble: undefined as string | undefined, now: 0 };
  const changes: boolean[] = [];
  const lines: string[] = [];
  const logger = pino({ base: null }, { write: (line) => void lines.push(JSON.parse(line).msg) });
  const fitness = createFitness({
    probe: async () => machine.trouble,
    onChange: (isFit) => void changes.push(isFit),
    logger,
    now: () => machine.now,
  });
  return { fitness, machine, changes, lines };
}

test("a failure on a fit machine is the task's fault", async () => {
  const { fitness, changes } = make();
  expect(await fitness.faultBehind(new PrepareError("no such branch"), "a")).toBeUndefined();
  expect(fitness.isFit).toBe(true);
  expect(changes).toEqual([]);
});

test("a failure on an unfit machine is the machine's fault, whatever the error", async () => {
  const { fitness, machine, lines } = make();
  machine.trouble = "ENOSPC: no space left on device";
  expect(await fitness.faultBehind(new PrepareError("git ended with 128"), "a")).toMatch(/ENOSPC/);
  expect(fitness.isFit).toBe(false);
  expect(lines).toEqual([expect.stringMatching(/cannot start tasks and claims none until it can: ENOSPC/)]);
});

describe.each(["EMFILE", "ENFILE", "EAGAIN", "ENOMEM", "EROFS"])("%s", (code) => {
  test("is the machine's fault, even if it is fit again at once", async () => {
    const { fitness } = make();
    expect(await fitness.faultBehind(withCode(code), "a")).toContain(code);
    expect(fitness.isFit).toBe(false);
  });
});

test("a task that is larger than the disk fails after its retries, another one still goes back", async () => {
  const { fitness } = make();
  for (let i = 0; i < 3; i++)
    expect(await fitness.faultBehind(withCode("ENOSPC"), "large")).toContain("ENOSPC");
  expect(await fitness.faultBehind(withCode("ENOSPC"), "large")).toBeUndefined();
  expect(await fitness.faultBehind(withCode("ENOSPC"), "small")).toContain("ENOSPC");
});

test.each([
  ["whose files still fill the disk", () => withCode("ENOSPC")],
  ["whose git ran out of disk", () => new PrepareError("git ended with 128")],
])("a task %s when the server is probed fails after its retries", async (_, error) => {
  const { fitness, machine } = make();
  for (let i = 0; i < 3; i++) {
    machine.trouble = "ENOSPC: no space left on device";
    expect(await fitness.faultBehind(error(), "large")).toContain("ENOSPC");
    machine.trouble = undefined;
    machine.now += 60_000;
    await fitness.check();
    expect(fitness.isFit).toBe(true);
  }
  machine.trouble = "ENOSPC: no space left on device";
  expect(await fitness.faultBehind(error(), "large")).toBeUndefined();
  expect(fitness.isFit).toBe(false);
});

test("the server becomes fit again after a pause for other servers, and logs each change once", async () => {
  const { fitness, machine, changes, lines } = make();
  machine.trouble = "EROFS: read-only file system";
  await fitness.check();
  await fitness.check();
  machine.trouble = undefined;
  machine.now = 4_999;
  await fitness.check();
  expect(changes).toEqual([false]);
  machine.now = 5_000;
  await fitness.check();
  await fitness.check();
  expect(changes).toEqual([false, true]);
  expect(fitness.isFit).toBe(true);
  expect(lines).toHaveLength(2);
});

test("a fit server is probed once a minute, an unfit one at each check", async () => {
  const { fitness, machine } = make();
  await fitness.check();
  machine.trouble = "EROFS: read-only file system";
  machine.now = 59_999;
  await fitness.check();
  expect(fitness.isFit).toBe(true);
  machine.now = 60_000;
  await fitness.check();
  expect(fitness.isFit).toBe(false);
  machine.trouble = undefined;
  machine.now = 65_000;
  await fitness.check();
  expect(fitness.isFit).toBe(true);
});

test("a shortage that returns soon makes the pause longer", async () => {
  const { fitness, machine } = make();
  await fitness.faultBehind(withCode("EMFILE"), "a");
  machine.now = 5_000;
  await fitness.check();
  await fitness.faultBehind(withCode("EMFILE"), "a");
  machine.now = 14_999;
  await fitness.check();
  expect(fitness.isFit).toBe(false);
  machine.now = 15_000;
  await fitness.check();
  expect(fitness.isFit).toBe(true);
});

test("a shortage is found in the causes of an error; other codes are no shortage", () => {
  expect(shortageIn(new Error("outer", { cause: withCode("EDQUOT") }))?.code).toBe("EDQUOT");
  expect(shortageIn(withCode("ENOENT"))).toBeUndefined();
  expect(shortageIn("a text")).toBeUndefined();
});
