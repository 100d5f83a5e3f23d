import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { chmod, chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { CatalogService } from "../gen/signalman/v1/catalog_service_pb.ts";

const LAUNCHER = fileURLToPath(new URL("../bin/signalman.js", import.meta.url));

/** A server in its own process, with its own data folder, as people run it. */
export interface BenchServer extends AsyncDisposable {
  url: string;
  pid: number;
  dataDir: string;
  usage(): Usage;
}

export interface Usage {
  /** CPU seconds since the start, user and system. */
  cpu: number;
  /** Resident memory, in MB; `peak` is its highest so far. */
  rss: number;
  peak: number;
}

/** @param uid user and group as whom it runs; undefined: those of the bench */
export async function startServer(env: Record<string, string> = {}, uid?: number): Promise<BenchServer> {
  const dataDir = await mkdtemp(join(tmpdir(), "signalman-bench-"));
  if (uid !== undefined) await chown(dataDir, uid, uid);
  const child = spawn(process.execPath, [LAUNCHER, "serve"], {
    env: {
      ...process.env,
      SIGNALMAN_DATA_DIR: dataDir,
      SIGNALMAN_LISTEN: "127.0.0.1:0",
      SIGNALMAN_LOG_FORMAT: "json",
      SIGNALMAN_LOG_LEVEL: "info",
      SIGNALMAN_NO_AUTH: "true",
      ...(uid === undefined ? {} : { HOME: dataDir }),
      ...env,
    },
    stdio: ["ignore", "ignore", "pipe"],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  const url = await readyUrl(child);
  const pid = child.pid ?? 0;
  return {
    url,
    pid,
    dataDir,
    usage: () => usageOf(pid),
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await once(child, "exit");
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function readyUrl(child: ChildProcess): Promise<string> {
  const lines = createInterface({ input: child.stderr as NodeJS.ReadableStream });
  const said: string[] = [];
  for await (const line of lines) {
    said.push(line);
    const url = /ready: (http:\/\/[^"\s]+)/.exec(line)?.[1];
    if (url) {
      child.stderr?.resume();
      return url;
    }
  }
  throw new Error(`The server did not start:\n${said.join("\n")}`);
}

/** Reads /proc. Its clock ticks are hundredths of a second on Linux. */
function usageOf(pid: number): Usage {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const megabytes = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024;
  return {
    cpu: (Number(fields[11]) + Number(fields[12])) / 100,
    rss: megabytes("VmRSS"),
    peak: megabytes("VmHWM"),
  };
}

/** Applies project `bench` with one template for each script, run by bash. */
export async function applyScripts(server: BenchServer, scripts: Record<string, string>): Promise<void> {
  const folder = await mkdtemp(join(server.dataDir, "scripts-"));
  // A server of another user reads it too.
  await chmod(folder, 0o755);
  for (const [name, text] of Object.entries(scripts)) await writeFile(join(folder, name), text);
  const client = createClient(CatalogService, createGrpcTransport({ baseUrl: server.url }));
  await client.applyCatalog({
    catalog: {
      project: { name: "bench" },
      repositories: [{ name: "scripts", url: folder }],
      templates: Object.keys(scripts).map((name) => ({
        name,
        app: "bash",
        repository: "scripts",
        path: name,
        allowParallelTasks: true,
        allowOverrideEnv: ["GO"],
      })),
    },
  });
}
