import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ROOT } from "./pages.ts";

const folder = mkdtempSync(join(tmpdir(), "signalman-unit-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Exposure, from 0 to 100, up to which systemd calls a unit OK. */
const OK = 49;

const analyze = (...args: string[]) => spawnSync("systemd-analyze", args, { encoding: "utf8" });
const version = Number(/^systemd (\d+)/.exec(analyze("--version").stdout ?? "")?.[1] ?? 0);

test("the example unit is one that systemd accepts, and calls well hardened", ({ skip }) => {
  if (version < 250) skip("systemd-analyze 250 or newer is not installed");
  const unit = readFileSync(join(ROOT, "examples/systemd/signalman.service"), "utf8");
  const path = join(folder, "signalman.service");
  // The command has to exist.
  writeFileSync(path, unit.replace("/usr/local/bin/signalman", "/bin/true"));
  expect(analyze("verify", path)).toMatchObject({ status: 0, stderr: "" });
  const security = analyze("security", "--offline=true", `--threshold=${OK}`, "--no-pager", path);
  expect(security, security.stdout).toMatchObject({ status: 0 });
});
