import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type Task, TaskStatus } from "../../gen/signalman/v1/task_pb.ts";
import { connectSignalman } from "../../src/client/connect.ts";

export interface Server extends AsyncDisposable {
  /** The server's URL; undefined if the server ended instead, with its log on stderr unless it was stopped. */
  readonly ready: Promise<string | undefined>;
}

/** Starts `signalman serve` on a free port, in a new session, so that Ctrl-C in the terminal does not reach it. */
export function startServer(signalman: string, folder: string, stopped: AbortSignal): Server {
  const args = [signalman, "serve", "--listen", "127.0.0.1:0", "--data-dir", folder, "--log-format", "json"];
  const { DATABASE_URL: _database, ...env } = process.env;
  const child = spawn(process.execPath, args, { env, detached: true, stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(child, "exit");
  const ready = Promise.withResolvers<string | undefined>();
  const log: string[] = [];
  let state: "starting" | "ready" | "stopping" = "starting";
  // A second SIGTERM would end the server before it has stopped its database.
  const stop = () => {
    if (state !== "stopping") child.kill("SIGTERM");
    state = "stopping";
  };
  createInterface({ input: child.stderr }).on("line", (line) => {
    log.push(line);
    const url = /"msg":"ready: ([^"]+)"/.exec(line)?.[1];
    if (url === undefined || state !== "starting") return;
    state = "ready";
    ready.resolve(url);
  });
  stopped.addEventListener("abort", () => state === "starting" && stop());
  ended.then(() => {
    if (state !== "stopping") process.stderr.write(`${log.join("\n")}\n`);
    ready.resolve(undefined);
  });
  return {
    ready: ready.promise,
    async [Symbol.asyncDispose]() {
      stop();
      await ended;
    },
  };
}

const FINAL: readonly TaskStatus[] = [TaskStatus.SUCCESS, TaskStatus.ERROR, TaskStatus.STOPPED];

/** Kills all running tasks, since tasks outlive their server. */
export async function endTasks(url: string): Promise<void> {
  using client = connectSignalman({ server: url, token: process.env.SIGNALMAN_TOKEN });
  const { tasks } = await client.tasks.listTasks({ parent: "projects/-", pageSize: 1000 });
  await Promise.all(tasks.filter(({ status }) => !FINAL.includes(status)).map(end));

  async function end({ name }: Task): Promise<void> {
    await client.tasks.killTask({ name, force: true, reason: "The quickstart was stopped" });
    for await (const _ of client.watch({ name, logs: false })) {
      // Until the end.
    }
  }
}
