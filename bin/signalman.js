#!/usr/bin/env node
// Plain JavaScript that old Nodes understand too: it finds the code and a Node that can run it.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import module from "node:module";
import { constants } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";

const NEEDED = 24;
const at = (path) => fileURLToPath(new URL(path, import.meta.url));
// The package holds compiled code, the repository its source, which Node runs by stripping the types.
const main = [at("../src/cli/main.ts"), at("../dist/src/cli/main.js")].find((path) => existsSync(path));
// MB. Log data passes through in short-lived buffers: the more often the young ones are collected, the less wait for it;
// but with 2 many short tasks spent more on collections.
const serverFlags = ["--max-semi-space-size=4"];
const ownNode = at("../node_modules/.bin/node");
const isServer = process.argv[2] === "serve";

// Without it, stripping the types takes half of a command's start.
if (main?.endsWith(".ts")) module.enableCompileCache?.(at("../node_modules/.cache/signalman"));
if (!main) fail("the package is incomplete: there is neither dist nor src; install it again");
else if (Number.parseInt(process.versions.node, 10) >= NEEDED) {
  if (isServer && process.execArgv.length === 0) becomeServer();
  if (isServer) endWithNpm(() => process.kill(process.pid, "SIGTERM"));
  await import("./drizzle-imports.js");
  await import(`file://${main}`);
} else if (existsSync(ownNode))
  passOn(spawn(ownNode, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: "inherit" }));
else fail(`Node ${NEEDED} or newer is needed, this is ${process.version} (${process.execPath})`);

function fail(text) {
  process.stderr.write(`signalman: ${text}\n`);
  process.exitCode = 2;
}

/** The same process with Node's options for a server; as process 1 of a container, below a shell that reaps orphans. */
function becomeServer() {
  const server = [process.execPath, ...serverFlags, ...process.argv.slice(1)];
  if (process.pid === 1) process.execve?.("/bin/sh", ["sh", at("./init.sh"), ...server]);
  process.execve?.(process.execPath, server);
}

/**
 * npm and npx give a signal to a shell, which dies of it and tells nobody: a server that was started so ends when the
 * shell or npm has. One with a session of its own was detached on purpose.
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

/** Makes the child's end ours, and our signals the child's. */
function passOn(child) {
  if (isServer) endWithNpm(() => child.kill("SIGTERM"));
  for (const signal of ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"])
    process.on(signal, () => child.kill(signal));
  // Ctrl-C reaches the child by itself: once more from here would be a second Ctrl-C.
  process.on("SIGINT", () => isInForeground() || child.kill("SIGINT"));
  child.on("error", (error) => fail(`cannot run ${ownNode}: ${error.message}`));
  child.on("exit", (code, signal) => {
    if (signal === null) return process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    return setTimeout(() => process.exit(128 + constants.signals[signal]), 100);
  });
}

/** Whether a terminal sends its signals to our process group, and so to the child too. */
function isInForeground() {
  const { group, foreground } = processStat();
  if (group !== undefined) return group === foreground;
  return Boolean(process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY);
}

/** proc(5), stat; nothing where there is no /proc. */
function processStat() {
  try {
    const fields = readFileSync("/proc/self/stat", "latin1").split(") ").at(-1).split(" ").map(Number);
    const [, , group, session, , foreground] = fields;
    return { group, session, foreground };
  } catch {
    return {};
  }
}
