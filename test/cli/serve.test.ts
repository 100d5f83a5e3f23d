import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { testDatabase } from "../support/database.ts";
import { SIGNALMAN } from "../support/program.ts";
import { cli } from "./cli.ts";

/** Expects a refused start: one sentence on stderr and no stack. */
async function refusalOf(args: string[], env: Record<string, string> = {}): Promise<string> {
  const { code, stdout, stderr } = await cli(["serve", ...args], { env });
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  const told = stderr.split("\n").filter((line) => line !== "" && !/^\{"level":(30|40)/.test(line));
  expect(told).toHaveLength(1);
  return told[0] ?? "";
}

test("a data folder that cannot be created is reported in one sentence", async () => {
  expect(await refusalOf(["--data-dir", "/dev/null/x"])).toMatch(
    /^signalman: Cannot create the data folder \/dev\/null\/x: /,
  );
});

test.each(["/proc/signalman/x", "/proc/self/x", "/proc"])(
  "%s as a data folder is answered, not waited for",
  async (folder) => {
    expect(await refusalOf(["--data-dir", folder])).toMatch(
      /^signalman: Cannot (create|use) (the data folder )?\/proc\S*: /,
    );
  },
);

test("a password in --database-url is warned of, since every user can read it there", async () => {
  const url = "postgres://me:hunter2@127.0.0.1:1/tasks";
  const { stderr } = await cli(["serve", "--data-dir", "/dev/null/x", "--database-url", url], {});
  expect(stderr).toMatch(/--database-url holds a password.*set DATABASE_URL instead/);
  expect(stderr).not.toContain("hunter2");
  const quiet = await cli(["serve", "--data-dir", "/dev/null/x"], { env: { DATABASE_URL: url } });
  expect(quiet.stderr).not.toContain("holds a password");
});

test("a file of a secret that every user can read is warned of, and one beside its variable is refused", async () => {
  const folder = await mkdtemp(join(tmpdir(), "signalman-secret-"));
  const file = join(folder, "token");
  await writeFile(file, "secret-of-the-server\n");
  await chmod(file, 0o644);
  const args = ["serve", "--data-dir", "/dev/null/x", "--token-file", file];
  const { code, stderr } = await cli(args, {});
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringContaining(`every user of this machine can read the secret in ${file}`),
  });
  const both = await cli(args, { env: { SIGNALMAN_TOKEN: "secret-of-the-server" } });
  expect(both).toMatchObject({
    code: 2,
    stderr: "signalman: SIGNALMAN_TOKEN and --token-file give the same setting: leave one of them out\n",
  });
  await rm(folder, { recursive: true });
});

test("a port in use is reported in one sentence", async () => {
  await using stack = new AsyncDisposableStack();
  const other = stack.use(createServer().listen(0, "127.0.0.1"));
  await once(other, "listening");
  const database = await testDatabase();
  stack.defer(() => database.drop());
  const folder = await mkdtemp(join(tmpdir(), "signalman-refused-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const { port } = other.address() as AddressInfo;
  const args = ["--listen", `127.0.0.1:${port}`, "--data-dir", folder];
  expect(await refusalOf(args, { DATABASE_URL: database.url })).toBe(
    `signalman: Cannot listen on 127.0.0.1:${port}: another program listens there. Stop it, or choose another port (0: any free one)`,
  );
});

test("a database that does not answer is reported in one sentence, without its password", async () => {
  const folder = await mkdtemp(join(tmpdir(), "signalman-refused-"));
  const url = "postgres://user:hidden-word@127.0.0.1:1/signalman";
  const told = await refusalOf(["--listen", "127.0.0.1:0", "--data-dir", folder], { DATABASE_URL: url });
  await rm(folder, { recursive: true, force: true });
  expect(told).toMatch(
    /^signalman: Cannot use PostgreSQL at 127\.0\.0\.1:1\/signalman for 20 s: .*\. Check DATABASE_URL, and that PostgreSQL runs there$/,
  );
});

test("a warning of Node becomes a line of the log", async () => {
  await using stack = new AsyncDisposableStack();
  const database = await testDatabase();
  stack.defer(() => database.drop());
  const folder = await mkdtemp(join(tmpdir(), "signalman-warned-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const preload = join(folder, "preload.cjs");
  await writeFile(preload, 'process.on("SIGUSR2", () => process.emitWarning("careful"));');
  const child = spawn(
    process.execPath,
    [SIGNALMAN, "serve", "--listen", "127.0.0.1:0", "--data-dir", join(folder, "data")],
    {
      env: { ...process.env, DATABASE_URL: database.url, NODE_OPTIONS: `--require=${preload}` },
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  stack.defer(() => void child.kill("SIGKILL"));
  const lines: { level: number; msg: string }[] = [];
  for await (const line of createInterface(child.stderr)) {
    const entry = JSON.parse(line);
    lines.push(entry);
    if (entry.msg.startsWith("ready")) child.kill("SIGUSR2");
    if (entry.msg === "careful") child.kill("SIGTERM");
  }
  expect(lines).toContainEqual(expect.objectContaining({ level: 40, msg: "careful" }));
});

test("a SIGTERM that comes twice, to the group and from the launcher, is a shutdown like any other", async () => {
  await using stack = new AsyncDisposableStack();
  const database = await testDatabase();
  stack.defer(() => database.drop());
  const folder = await mkdtemp(join(tmpdir(), "signalman-twice-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const child = spawn(
    process.execPath,
    [SIGNALMAN, "serve", "--listen", "127.0.0.1:0", "--data-dir", folder],
    {
      env: { ...process.env, DATABASE_URL: database.url },
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  stack.defer(() => void child.kill("SIGKILL"));
  const exit = once(child, "exit");
  for await (const line of createInterface(child.stderr)) {
    if (/"msg":"(ready|SIGTERM): /.test(line)) child.kill("SIGTERM");
  }
  expect(await exit).toEqual([0, null]);
});
