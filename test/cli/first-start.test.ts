import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { lstatSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TestDatabase, testDatabase } from "../support/database.ts";
import { SIGNALMAN } from "../support/program.ts";
import { cli, startCli } from "./cli.ts";

const CATALOG = "project: { name: demo }\n";

let folder: string;
let database: TestDatabase;
let server: { child: ChildProcess; url: string; lines: string[] } | undefined;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "signalman-first-"));
  database = await testDatabase();
});
afterAll(async () => {
  await stop("SIGKILL");
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

/** Home and runtime folder of the user of server and command line. */
const user = () => ({ HOME: folder, XDG_RUNTIME_DIR: folder });
const tokenFile = () => join(folder, ".local/share/signalman/token");

/** Starts a server of which only the address and the database are set. */
async function start(port = "0"): Promise<string> {
  const env = { PATH: process.env.PATH, DATABASE_URL: database.url, ...user() };
  const child = spawn(process.execPath, [SIGNALMAN, "serve", "--listen", `127.0.0.1:${port}`], {
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const lines: string[] = [];
  server = { child, url: "", lines };
  for await (const line of createInterface({ input: child.stderr })) {
    lines.push(line);
    server.url = /"msg":"ready: ([^"]+)"/.exec(line)?.[1] ?? "";
    if (server.url) break;
  }
  return server.url;
}

async function stop(signal: NodeJS.Signals): Promise<void> {
  if (!server || server.child.exitCode !== null || server.child.signalCode !== null) return;
  const ended = once(server.child, "exit");
  server.child.kill(signal);
  await ended;
}

test("a server without settings is closed, and its user's command line needs no token", async () => {
  const url = await start();
  const token = readFileSync(tokenFile(), "utf8").trim();
  expect(lstatSync(tokenFile()).mode & 0o777).toBe(0o600);
  expect(token).toMatch(/^[\w-]{43}$/);
  const told = server?.lines.join("\n") ?? "";
  expect(told).toContain(`calls need a token: ${tokenFile()} holds that of the root account`);
  expect(told).not.toContain(token);

  const own = { server: url, env: user(), input: CATALOG };
  expect(await cli(["apply", "-"], own)).toMatchObject({ code: 0 });
  expect(await cli(["list"], { ...own, server: url.replace("127.0.0.1", "localhost") })).toMatchObject({
    code: 0,
  });
  const other = await cli(["list"], { server: url, env: { HOME: join(folder, "other") } });
  expect(other.code).toBe(2);
  expect(other.stderr).toContain(
    "is missing; send it with a token of this server or of an account (unauthenticated)",
  );
  const withToken = { HOME: join(folder, "other"), SIGNALMAN_TOKEN: token };
  expect(await cli(["list"], { server: url, env: withToken })).toMatchObject({ code: 0 });
});

test("the token stays, and a socket that a killed server left is replaced", async () => {
  const token = readFileSync(tokenFile(), "utf8");
  const port = new URL(server?.url ?? "").port;
  await stop("SIGKILL");
  expect(lstatSync(join(folder, "signalman", `127.0.0.1:${port}.sock`)).isSocket()).toBe(true);
  const waiting = startCli(["list"], { server: `127.0.0.1:${port}`, env: user() });
  const url = await start(port);
  expect(await waiting.ended).toBe(0);
  expect(readFileSync(tokenFile(), "utf8")).toBe(token);
  expect(await cli(["list"], { server: url, env: user() })).toMatchObject({ code: 0 });
});
