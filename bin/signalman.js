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

// Without it, stripping the types takes half of a command's start.
if (main?.endsWith(".ts")) module.enableCompileCache?.(at("../node_modules/.cache/signalman"));
if (!main) fail("the package is incomplete: there is neither dist nor src; install it again");
else if (Number.parseInt(process.versions.node, 10) >= NEEDED) {
  if (process.argv[2] === "serve" && process.execArgv.length === 0)
    process.execve?.(process.execPath, [process.execPath, ...serverFlags, ...process.argv.slice(1)]);
  await import("./drizzle-imports.js");
  await import(`file://${main}`);
} else if (existsSync(ownNode))
  passOn(spawn(ownNode, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: "inherit" }));
else fail(`Node ${NEEDED} or newer is needed, this is ${process.version} (${process.execPath})`);

function fail(text) {
  process.stderr.write(`signalman: ${text}\n`);
  process.exitCode = 2;
}

/** Makes the child's end ours, and our signals the child's. */
function passOn(child) {
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
  try {
    const fields = readFileSync("/proc/self/stat", "latin1").split(") ").at(-1).split(" ");
    const [, , group, , , foreground] = fields;
    return group === foreground;
  } catch {
    return Boolean(process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY);
  }
}
