#!/usr/bin/env node
/*
 * Entry point of the package: finds the program's code and a version of Node that can run it. Plain JavaScript, so that old
 * versions of Node understand it too.
 *
 * A Node that is new enough loads the code itself. An older one starts the Node that npm installed as a dependency, forwards
 * signals to it and exits as it does. A server runs with its own options of Node, closed to the other programs of its user
 * (undumpable.js), and returns freed memory (return-memory.js). Its secrets leave the environment (init.sh), also that of an older
 * Node (wipe-environment.js).
 *
 * Left to others: the command line and its commands (src/cli/).
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import module from "node:module";
import { constants } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { wipeEnvironment } from "./wipe-environment.js";

const NEEDED = 24;
const at = (path) => fileURLToPath(new URL(path, import.meta.url));
// The package contains compiled code, the repository the source, whose types Node strips.
const main = [at("../src/cli/main.ts"), at("../dist/src/cli/main.js")].find((path) => existsSync(path));
// Semi-space of V8's young generation, in MB. Log data is in short-lived buffers, which a small one frees early; with 2 MB
// many short tasks spent more time on collections. With SIGUSR1 any program of the server's user could open Node's debugger in it.
const serverFlags = ["--max-semi-space-size=4", "--disable-sigusr1"];
const ownNode = at("../node_modules/.bin/node");
const isServer = ["serve", "rotate-secrets"].includes(process.argv[2]);
/** Variables with secrets, by their names in src/config.ts. */
const secrets = ["SIGNALMAN_TOKEN", "DATABASE_URL", "SIGNALMAN_SECRET_KEY"];

// Without the cache, stripping the types takes half of a command's start.
if (main?.endsWith(".ts")) module.enableCompileCache?.(at("../node_modules/.cache/signalman"));
if (!main) fail("the package is incomplete: there is neither dist nor src; install it again");
else if (Number.parseInt(process.versions.node, 10) >= NEEDED) {
  const holdsSecrets = secrets.some((name) => process.env[name]);
  if (isServer && (process.execArgv.length === 0 || holdsSecrets)) becomeServer(holdsSecrets);
  if (isServer) await import("./undumpable.js");
  if (isServer) await import("./return-memory.js");
  if (isServer) endWithNpm(() => process.kill(process.pid, "SIGTERM"));
  await import("./drizzle-imports.js");
  await import(`file://${main}`);
} else if (existsSync(ownNode)) {
  passOn(spawn(ownNode, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: "inherit" }));
  if (isServer) {
    wipeEnvironment(secrets);
    await import("./undumpable.js");
  }
} else
  fail(
    `this is Node ${process.version} (${process.execPath}); Node ${NEEDED} or newer is needed: install it`,
  );

function fail(text) {
  process.stderr.write(`signalman: ${text}\n`);
  process.exitCode = 2;
}

/** Replaces this process by one with the server's options of Node, through init.sh if that has work to do. */
function becomeServer(holdsSecrets) {
  const flags = process.execArgv.length > 0 ? process.execArgv : serverFlags;
  const server = [process.execPath, ...flags, ...process.argv.slice(1)];
  if (process.pid === 1 || holdsSecrets) process.execve?.("/bin/sh", ["sh", at("./init.sh"), ...server]);
  process.execve?.(process.execPath, server);
}

/**
 * Ends a server that npm or npx started when its parent has ended. npm sends a signal to a shell, which dies without
 * forwarding it. A server that leads its session was detached on purpose and goes on.
 */
function endWithNpm(end) {
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event === undefined || processStat().session === process.pid) return;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    end();
  }, 250);
  timer.unref();
}

/** Forwards this process's signals to the child, and exits as the child does. */
function passOn(child) {
  if (isServer) endWithNpm(() => child.kill("SIGTERM"));
  for (const signal of ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"])
    process.on(signal, () => child.kill(signal));
  // In the foreground the terminal sends Ctrl-C to the child as well, so forwarding it would send it twice.
  process.on("SIGINT", () => isInForeground() || child.kill("SIGINT"));
  child.on("error", (error) => fail(`cannot run ${ownNode}: ${error.message}`));
  child.on("exit", (code, signal) => {
    if (signal === null) return process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    return setTimeout(() => process.exit(128 + constants.signals[signal]), 100);
  });
}

/** Whether a terminal sends its signals to this process group, and so to the child too. */
function isInForeground() {
  const { group, foreground } = processStat();
  if (group !== undefined) return group === foreground;
  return Boolean(process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY);
}

/** Returns fields of /proc/self/stat (proc(5)); an empty object where there is no /proc. */
function processStat() {
  try {
    const fields = readFileSync("/proc/self/stat", "latin1").split(") ").at(-1).split(" ").map(Number);
    const [, , group, session, , foreground] = fields;
    return { group, session, foreground };
  } catch {
    return {};
  }
}
