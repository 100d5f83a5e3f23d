import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { testDatabase } from "./database.ts";
import { isolationSettings } from "./isolation.ts";
import { SERVE, UNDUMPABLE } from "./program.ts";

/** SIGNALMAN_SECRET_KEY of every test server, so that several can share a database. */
export const SECRET_KEY = Buffer.alloc(32, "a key of tests").toString("base64");

export interface ServiceOptions {
  /** Settings, by the names of their variables. */
  env?: Record<string, string>;
  /** Default: a database of its own, dropped with the service. */
  databaseUrl?: string;
  /** Default: a folder of its own, removed with the service. */
  dataDir?: string;
  /** Default: the server of this source. */
  program?: string;
  /** More options of Node. */
  execArgv?: string[];
  /** Lets programs of the same user read the server's descriptors in /proc. */
  readable?: boolean;
  /** Words before the command that starts it, such as those that switch to another user. */
  prefix?: readonly string[];
}

/** A server in a separate process, on a real database, for one test file. */
export interface TestService extends AsyncDisposable {
  /** `http://127.0.0.1:port`; the port stays over restarts. */
  readonly url: string;
  readonly dataDir: string;
  readonly databaseUrl: string;
  readonly process: ChildProcess;
  /** Log of the server since its last start, including lines from before it was ready. */
  log(): string;
  client<S extends DescService>(service: S): Client<S>;
  /** Sends the signal and waits for the end. */
  kill(signal?: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Starts the server again on the same folder, database and port, after its end; resolves when it is ready. */
  start(): Promise<void>;
}

export async function startService(options: ServiceOptions = {}): Promise<TestService> {
  await using stack = new AsyncDisposableStack();
  const database = options.databaseUrl ? undefined : await testDatabase();
  if (database) stack.defer(() => database.drop());
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), "signalman-test-")));
  if (!options.dataDir) stack.defer(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }));
  const databaseUrl = options.databaseUrl ?? database?.url ?? "";
  let port = 0;
  let lines: string[] = [];
  let current = await launch();
  stack.defer(() => endTasksIn(dataDir));
  stack.defer(async () => void (await kill("SIGTERM")));

  async function launch() {
    const env = {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      DATABASE_URL: databaseUrl,
      SIGNALMAN_DATA_DIR: dataDir,
      SIGNALMAN_LISTEN: `127.0.0.1:${port}`,
      SIGNALMAN_LOG_FORMAT: "json",
      // Tests call without a token, except those that are about tokens.
      ...(options.env?.SIGNALMAN_TOKEN === undefined && { SIGNALMAN_NO_AUTH: "true" }),
      // Folder of the unix socket, which belongs to this test alone.
      XDG_RUNTIME_DIR: dataDir,
      // All servers of one database need the same key.
      SIGNALMAN_SECRET_KEY: SECRET_KEY,
      ...isolationSettings,
      ...options.env,
    };
    const flags = ["--max-semi-space-size=4", "--disable-sigusr1", ...(options.execArgv ?? [])];
    const closed = options.readable ? [] : ["--import", UNDUMPABLE];
    const node = [process.execPath, ...flags, ...closed, options.program ?? SERVE];
    const [command = "", ...args] = [...(options.prefix ?? []), ...node];
    const child = spawn(command, args, { env, stdio: ["ignore", "ignore", "pipe"] });
    lines = [];
    const ended = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
    // A command that cannot be started is reported by readyUrl.
    ended.catch(() => {});
    const url = await readyUrl(child, lines);
    port = Number(new URL(url).port);
    return { child, ended, url };
  }

  async function kill(signal: NodeJS.Signals = "SIGTERM") {
    current.child.kill(signal);
    const [code, by] = await current.ended;
    return { code, signal: by };
  }

  const owned = stack.move();
  return {
    get url() {
      return current.url;
    },
    get process() {
      return current.child;
    },
    dataDir,
    databaseUrl,
    log: () => lines.join("\n"),
    client: (service) =>
      createClient(
        service,
        createGrpcTransport({ baseUrl: current.url, interceptors: [withToken(options.env)] }),
      ),
    kill,
    async start() {
      await current.ended;
      current = await launch();
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** Sends the server's token, if it has one and the call has none. */
function withToken({ SIGNALMAN_TOKEN: token }: Record<string, string> = {}): Interceptor {
  return (next) => (request) => {
    if (token !== undefined && !request.header.has("authorization"))
      request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
}

/** Ends the tasks that a test left, found by their working directory, since tasks outlive their server. */
async function endTasksIn(dataDir: string): Promise<void> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  for (const pid of pids) {
    const folder = await readlink(`/proc/${pid}/cwd`).catch(() => "");
    if (!folder.startsWith(`${dataDir}/`)) continue;
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // The process has ended by itself.
    }
  }
}

function readyUrl(child: ChildProcess, lines: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) =>
      reject(new Error(`The server ended with ${code ?? signal}:\n${lines.join("\n")}`)),
    );
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on("line", (line) => {
      lines.push(line);
      const url = /"msg":"ready: ([^"]+)"/.exec(line)?.[1];
      if (url) resolve(url);
    });
  });
}
