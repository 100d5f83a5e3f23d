import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../faults/traces.ts";
import { type TestDatabase, testDatabase } from "../support/database.ts";
import { isRoot } from "../support/nobody.ts";
import { SIGNALMAN } from "../support/program.ts";
import { oldNode } from "./old-node.ts";

const TOKEN = "secret-of-the-server";
const REPOSITORY = join(import.meta.dirname, "../..");

let folder: string;
let database: TestDatabase;
let started: ChildProcess | undefined;
let serverPid = 0;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "signalman-serve-"));
  database = await testDatabase();
  serverPid = 0;
});
afterEach(async () => {
  started?.kill("SIGKILL");
  if (isAlive(serverPid)) process.kill(serverPid, "SIGKILL");
  await until(() => !isAlive(serverPid));
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

/** Starts a server by a command line that ends with `signalman`; resolves with its pid, as the server knows it, when it is ready. */
async function serve(command: string, ...args: string[]): Promise<{ child: ChildProcess; pid: number }> {
  const options = ["serve", "--listen", "127.0.0.1:0", "--data-dir", join(folder, "data")];
  const { PATH, HOME } = process.env;
  const env = {
    PATH,
    HOME,
    DATABASE_URL: database.url,
    SIGNALMAN_TOKEN: TOKEN,
    SIGNALMAN_LOG_FORMAT: "json",
    npm_config_cache: folder,
  };
  const child = spawn(command, [...args, ...options], {
    cwd: REPOSITORY,
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  started = child;
  const pid = await new Promise<number>((resolve, reject) => {
    child.once("close", (code) => reject(new Error(`it ended with ${code}`)));
    createInterface({ input: child.stderr }).on("line", (line) => {
      const ready = /"pid":(\d+),"msg":"ready/.exec(line);
      if (ready) resolve(Number(ready[1]));
    });
  });
  return { child, pid };
}

function isAlive(pid: number): boolean {
  if (pid === 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const childrenOf = (pid: number) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);

/** A process and all that descend from it. */
const treeOf = (pid: number): number[] => [pid, ...childrenOf(pid).flatMap(treeOf)];

/** Environment with which a process was started, as far as this user may read it; that of a server may only root. */
function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EACCES") return "";
    throw error;
  }
}

function expectNoSecrets(pids: readonly number[]): void {
  const environments = pids.map((pid) => environmentOf(pid));
  if (isRoot) expect(environments.some((text) => text.includes("SIGNALMAN_LOG_FORMAT="))).toBe(true);
  for (const text of environments) {
    expect(text).not.toContain(TOKEN);
    expect(text).not.toContain(database.url);
  }
}

test("neither a server nor its helpers have secrets in their environment", async () => {
  const { pid } = await serve(process.execPath, SIGNALMAN);
  serverPid = pid;
  // The server itself, its launcher and the helper that locks the data folder.
  expectNoSecrets(treeOf(pid));
});

test("nor does the old Node that started it", async ({ skip }) => {
  if (oldNode === undefined) skip("there is no Node below 24 on this machine");
  const { child, pid } = await serve(oldNode ?? "", SIGNALMAN);
  serverPid = pid;
  const [parent = 0, ...others] = treeOf(child.pid as number);
  expect(others).toContain(pid);
  await until(() => !environmentOf(parent).includes(TOKEN));
  expectNoSecrets([parent, ...others]);
});

test("a server that npx started ends when npx is told to", async () => {
  const { child, pid } = await serve("npx", "--no-install", "signalman");
  serverPid = pid;
  child.kill("SIGTERM");
  await until(() => !isAlive(pid));
});

test("a server that a shell left in the background goes on without it", async () => {
  const { child, pid } = await serve("/bin/sh", "-c", '"$0" "$@" &', process.execPath, SIGNALMAN);
  serverPid = pid;
  if (child.exitCode === null) await once(child, "exit");
  // Four rounds of the check that ends a server when npm has ended.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(isAlive(pid)).toBe(true);
});

test("as process 1 a server leaves no zombie, and takes signals", async ({ skip }) => {
  const newNamespace = ["-f", "-p", "--mount-proc", "--kill-child", "--"];
  if (spawnSync("unshare", [...newNamespace, "true"]).status !== 0)
    skip("there is no unshare, or this user may not make a namespace of processes");
  const { child } = await serve("unshare", ...newNamespace, process.execPath, SIGNALMAN);
  const [init = 0] = childrenOf(child.pid ?? 0);
  const orphan = "sleep 0.3 & exit";
  const before = childrenOf(init).length;
  execFileSync("nsenter", ["-t", String(init), "-p", "--", "/bin/sh", "-c", orphan], { stdio: "ignore" });
  await until(() => childrenOf(init).length > before);
  await until(() => childrenOf(init).length === before);
  expectNoSecrets(treeOf(init));
  const ended = once(child, "exit");
  process.kill(init, "SIGTERM");
  expect(await ended).toEqual([0, null]);
});
