import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import { pino } from "pino";
import type { Executor } from "../../src/jobs/executors/executor.ts";
import { createCipher } from "../../src/keys/cipher.ts";
import { decompress } from "../../src/logs/compress.ts";
import { decodeChunk } from "../../src/logs/read.ts";
import { createControl, type RunControl, ShutdownError } from "../../src/runner/control.ts";
import type { TaskDetails } from "../../src/runner/details.ts";
import type { Hook } from "../../src/runner/hooks.ts";
import { runTask } from "../../src/runner/lifecycle.ts";
import type { RunnerDeps } from "../../src/runner/run.ts";
import { runStore } from "../../src/runner/store.ts";
import { changeProject } from "../../src/store/catalog/catalog.ts";
import { readChunks } from "../../src/store/logs/logs.ts";
import { type Databases, openDatabases } from "../../src/store/postgres/databases.ts";
import type { Lease } from "../../src/store/tasks/transitions.ts";
import { createOperatorLog } from "../../src/telemetry/operator-log.ts";
import { NODE, openStore, type TestStore } from "../store/fixture.ts";

/** A run of a task on a server that the test can shut down. */
export interface TestRun {
  control: RunControl;
  /** Resolves when the run has ended. */
  done: Promise<void>;
  /** Shuts the server down. Resolves when the run has ended. */
  leave(): Promise<void>;
  /** Resolves when this many lines of the program are stored; rejects if the run ends before. */
  lines(count: number): Promise<void>;
}

/** A runner on a real database with the test's executor. Project `p` has a template `t` and a repository. */
export interface RunnerRig extends AsyncDisposable {
  store: TestStore;
  databases: Databases;
  /** Path of the repository. */
  source: string;
  /** Path of a file that scripts may wait for. */
  go: string;
  run(
    lease: Lease,
    executor: Executor<TaskDetails>,
    hooks?: readonly Hook[],
    faultBehind?: RunnerDeps["faultBehind"],
  ): TestRun;
  /** Returns the output of the program on a stream, as stored in the log. */
  text(id: string, stream: "stdout" | "stderr"): Promise<string>;
  /** Sets the template `t`. */
  template(app: string, files: Record<string, string>): Promise<void>;
}

export async function openRig(executorName: string): Promise<RunnerRig> {
  const store = await openStore();
  const databases = openDatabases(store.url);
  const root = mkdtempSync(join(tmpdir(), "signalman-rig-"));
  const source = join(root, "source");
  mkdirSync(source);
  const operatorLog = createOperatorLog(pino({ enabled: false }), NODE);
  const cipher = createCipher([Buffer.alloc(32, 3)]);

  return {
    store,
    databases,
    source,
    go: join(root, "go"),
    async template(app, files) {
      for (const [name, text] of Object.entries(files)) writeFileSync(join(source, name), text);
      const path = app === "terraform" ? "." : "run.sh";
      const put = (kind: "projects" | "repositories" | "templates", name: string, spec: JsonObject) => ({
        kind,
        name,
        spec,
        secrets: null,
      });
      await changeProject(store.database, "p", [], () => ({
        put: [
          put("projects", "p", {}),
          put("repositories", "r", { url: source }),
          put("templates", "t", { app, path, repository: "projects/p/repositories/r" }),
        ],
        remove: [],
        isRehearsal: false,
      }));
    },
    run(lease, executor, hooks = [], faultBehind) {
      const shutdown = new AbortController();
      const control = createControl();
      const stored = { count: 0, changed: Promise.withResolvers<void>() };
      const onLog = (_: string, { counts }: { counts: Record<"stdout" | "stderr", number> }) => {
        stored.count += counts.stdout + counts.stderr;
        stored.changed.resolve();
        stored.changed = Promise.withResolvers();
      };
      const deps = {
        store: runStore(databases, shutdown.signal, operatorLog),
        operatorLog,
        cipher,
        hooks,
        mayCall: async () => undefined,
        listeners: { status: [], log: [onLog] },
        executors: { [executorName]: executor },
        keepLateLines: async () => true,
        faultBehind: faultBehind ?? (async () => undefined),
        onDefect: (_: string, error: unknown) => console.error(error),
      };
      const done = runTask(deps, lease, control, shutdown.signal);
      return {
        control,
        done,
        async leave() {
          shutdown.abort(new ShutdownError());
          await done;
        },
        async lines(count) {
          while (stored.count < count) {
            const over = done.then(() => Promise.reject(new Error(`It ended after ${stored.count} lines`)));
            await Promise.race([stored.changed.promise, over]);
          }
        },
      };
    },
    async text(id, stream) {
      const chunks = await readChunks(databases.reads, id, 1, Number.MAX_SAFE_INTEGER, 10_000);
      return chunks
        .flatMap(({ data }) => decodeChunk(decompress(data)))
        .filter((line) => line.stream === stream)
        .map(({ content, partial }) => `${content}${partial ? "" : "\n"}`)
        .join("");
    },
    async [Symbol.asyncDispose]() {
      await databases.close();
      await store[Symbol.asyncDispose]();
      rmSync(root, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
