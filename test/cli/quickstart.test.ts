import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { startService } from "../helpers/service.ts";
import { cli, startProgram } from "./cli.ts";

const at = (path: string) => fileURLToPath(new URL(`../../examples/${path}`, import.meta.url));

/** A folder for temporary files of its own tells what is left. */
async function quickstart(...args: string[]) {
  const { mkdtemp } = await import("node:fs/promises");
  const folder = await mkdtemp(`${tmpdir()}/signalman-test-quickstart-`);
  const run = startProgram([process.execPath, at("quickstart/quickstart.ts"), ...args], {
    env: { TMPDIR: folder },
  });
  return { run, left: () => readdir(folder) };
}

/** Programs whose command line names the folder. */
async function programsOf(folder: string): Promise<string[]> {
  const { readFile } = await import("node:fs/promises");
  const ids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(ids.map((id) => readFile(`/proc/${id}/cmdline`, "utf8").catch(() => "")));
  return lines.filter((line) => line.includes(folder));
}
