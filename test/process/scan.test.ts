import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { scan, scanTogether } from "../../src/process/scan.ts";

test("whoever asks in the same tick gets the same look", async () => {
  const [one, two] = await Promise.all([scan(), scan()]);
  expect(one).toBe(two);
  expect(one.procs.has(process.pid)).toBe(true);
});

test("those who can wait share the look of whoever cannot", async () => {
  await scan();
  const patient = scanTogether();
  const also = scanTogether();
  expect(await scan()).toBe(await patient);
  expect(await also).toBe(await patient);
});

test("those who can wait get a look of their own when nobody hurries", async () => {
  const before = await scan();
  const [one, two] = await Promise.all([scanTogether(), scanTogether()]);
  expect(one).toBe(two);
  expect(one).not.toBe(before);
});

test("a shortage of descriptors is told to whoever asked, and ends nothing else", async () => {
  const fixture = fileURLToPath(new URL("../fixtures/scan-without-descriptors.ts", import.meta.url));
  const child = spawn("sh", ["-c", 'ulimit -n 200; exec "$0" "$1"', process.execPath, fixture], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  expect(await text(child.stdout)).toBe("EMFILE\ntrue\n");
});
