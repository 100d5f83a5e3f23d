import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { scan, scanTogether } from "../../src/process/scan.ts";

test("callers in the same tick share a scan", async () => {
  const [one, two] = await Promise.all([scan(), scan()]);
  expect(one).toBe(two);
  expect(one.procs.has(process.pid)).toBe(true);
});

test("callers that can wait share the scan of a caller that cannot", async () => {
  await scan();
  const patient = scanTogether();
  const also = scanTogether();
  expect(await scan()).toBe(await patient);
  expect(await also).toBe(await patient);
});

test("callers that can wait share a new scan when no other caller asks for one", async () => {
  const before = await scan();
  const [one, two] = await Promise.all([scanTogether(), scanTogether()]);
  expect(one).toBe(two);
  expect(one).not.toBe(before);
});

test("a lack of descriptors rejects the scan, and later scans work", async () => {
  const fixture = fileURLToPath(new URL("../fixtures/scan-without-descriptors.ts", import.meta.url));
  const child = spawn("sh", ["-c", 'ulimit -n 200; exec "$0" "$1"', process.execPath, fixture], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  expect(await text(child.stdout)).toBe("EMFILE\ntrue\n");
});
