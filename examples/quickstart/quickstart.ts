// Starts a server with its own database, applies a catalog, runs a task and shows its live output. Passes its arguments to
// `signalman run` and exits with the same code. Removes everything at the end, also after Ctrl-C.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { endTasks, startServer } from "./server.ts";

const SIGNALMAN = fileURLToPath(new URL("../../bin/signalman.js", import.meta.url));
const CATALOG = fileURLToPath(new URL("catalog.yaml", import.meta.url));

const stopped = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => stopped.abort(128 + constants.signals[signal]));
}
// A token for this server only; the commands below send it too.
process.env.SIGNALMAN_TOKEN = randomBytes(32).toString("hex");
process.exitCode = await main(process.argv.slice(2));

async function main(options: readonly string[]): Promise<number> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "signalman-quickstart-"));
  stack.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  say("starting a server with a database of its own");
  const server = stack.use(startServer(SIGNALMAN, folder, stopped.signal));
  const url = await server.ready;
  if (url === undefined) return stopped.signal.aborted ? stopped.signal.reason : 2;
  const end = () => endTasks(url).catch((error: unknown) => say(`cannot end what runs: ${error}`));
  stack.defer(end);
  stopped.signal.addEventListener("abort", end);
  for (const args of [
    ["apply", CATALOG],
    ["run", "demo/hello", ...options],
  ]) {
    if (stopped.signal.aborted) return stopped.signal.reason;
    say(`signalman ${args.join(" ")}`);
    const code = await signalman(["--server", url, ...args]);
    if (code !== 0) return code;
  }
  return 0;
}

/** Runs a command in a new session: Ctrl-C reaches this script, which kills the task; the command shows that and exits. */
async function signalman(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [SIGNALMAN, ...args], {
    detached: true,
    stdio: ["ignore", "inherit", "inherit"],
  });
  const [code] = (await once(child, "exit")) as [number | null];
  return code ?? 2;
}

function say(text: string): void {
  process.stderr.write(`quickstart: ${text}\n`);
}
