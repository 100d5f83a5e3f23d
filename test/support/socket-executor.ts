import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createConnection, type Socket } from "node:net";
import { createInterface } from "node:readline";
import type { Executor } from "../../src/jobs/executors/executor.ts";
import type { Job, Output, Program, ProgramEnd } from "../../src/jobs/job.ts";
import type { TaskDetails } from "../../src/runner/details.ts";
import { PrepareError } from "../../src/task/errors.ts";
import type { Exit } from "../../src/task/exit.ts";
import type { Request } from "../fixtures/program-host.ts";

/** Responses of the host. */
interface Answer {
  me: string;
  isKnown: boolean;
  exit?: { code: number | null; signal: NodeJS.Signals | null };
  held?: number;
  pid?: number;
  tail?: string;
  bytes?: string;
}

/** Number of bytes after which the host is told what has been committed. */
const COMMIT_EVERY = 64 * 1024;

/** Opens a connection for one request; closing it ends the lines. Rejects if the host has ended. */
async function connect(path: string, request: Request) {
  const socket = createConnection(path);
  await once(socket, "connect");
  const lines = createInterface({ input: socket });
  socket.on("error", () => lines.close());
  socket.write(`${JSON.stringify(request)}\n`);
  const close = () => {
    lines.close();
    socket.destroy();
  };
  return { socket, lines, close };
}

export async function ask(path: string, request: Request): Promise<Answer> {
  const { lines } = await connect(path, request);
  for await (const line of lines) return JSON.parse(line) as Answer;
  throw new Error("The host went away");
}

/**
 * Runs the scripts of a template's repository in another process, test/fixtures/program-host.ts, which every node reaches
 * over a socket. A task of app terraform runs plan.sh, whose output is its plan, and when that was confirmed apply.sh.
 */
export function createSocketExecutor(path: string): Executor<TaskDetails> {
  return {
    takenOverBy: "any",
    createJob: ({ id, app, plan, executorHandle }) =>
      createSocketJob(path, {
        id: plan ? `${id}/apply` : id,
        isPlan: app === "terraform" && !plan,
        executorHandle,
      }),
    leftovers: { list: async () => [], clear: async () => {}, clearAllBut: async () => {} },
  };
}

function createSocketJob(
  path: string,
  { id, isPlan, executorHandle }: { id: string; isPlan: boolean; executorHandle: string | null },
): Job<TaskDetails> {
  let handle = "";
  let prepared: { script: string; env: Record<string, string> } | undefined;
  let stdout = "";

  async function prepare({ template, repository, env }: TaskDetails, name: string) {
    handle = (await ask(path, { op: "hello" })).me;
    const script = await readFile(`${repository.url}/${name}`, "utf8").catch((cause: unknown) => {
      throw new PrepareError(`Cannot run ${template.path}: ${cause}`, { cause });
    });
    prepared = { script, env };
  }

  function follow(): Program {
    const waiting = new AbortController();
    let hasExited = false;
    let reading: Socket | undefined;
    let told = 0;
    const ended = wait();

    async function wait(): Promise<ProgramEnd> {
      const answer = await ask(path, { op: "wait", id }).catch(() => undefined);
      if (waiting.signal.aborted) return new Promise(() => {});
      hasExited = true;
      return { exit: exitOf(answer), isOutputMissing: false };
    }

    return {
      ended,
      hasExited: () => hasExited,
      unread: () => reading?.readableLength ?? 0,
      async *output(from, signal): AsyncGenerator<Output, void> {
        const { socket, lines, close } = await connect(path, { op: "output", id, offsets: { ...from } });
        reading = socket;
        signal.addEventListener("abort", close);
        if (signal.aborted) close();
        try {
          for await (const line of lines) {
            const { stream, offset, bytes, end } = JSON.parse(line);
            if (signal.aborted || end) return;
            const piece = Buffer.from(bytes, "base64");
            if (isPlan && stream === "stdout") stdout += piece;
            yield { stream, offset, bytes: piece };
            if (signal.aborted) return;
          }
          if (!signal.aborted) throw new Error("the host went away");
        } finally {
          signal.removeEventListener("abort", close);
          close();
        }
      },
      committed({ stdout, stderr }) {
        if (stdout + stderr - told < COMMIT_EVERY) return;
        told = stdout + stderr;
        void ask(path, { op: "committed", id, offsets: { stdout, stderr } }).catch(() => {});
      },
      kill: ({ graceMs }) => void ask(path, { op: "kill", id, graceMs }).catch(() => {}),
      release: () => waiting.abort(),
    };
  }

  return {
    get handle() {
      return handle;
    },
    async prepare(details) {
      await prepare(details, isPlan ? "plan.sh" : details.template.path);
      return { hash: "", message: "" };
    },
    async prepareApply(details) {
      await prepare(details, "apply.sh");
    },
    async start() {
      await ask(path, { op: "start", id, ...prepared });
      return follow();
    },
    async attach() {
      const { isKnown, me } = await ask(path, { op: "find", id });
      if (isKnown) return follow();
      return executorHandle === me ? undefined : "lost";
    },
    async lastErrors(most) {
      return Buffer.from((await ask(path, { op: "tail", id })).tail ?? "", "base64").subarray(-most);
    },
    async waitingPlan() {
      if (!isPlan) return undefined;
      const digest = createHash("sha256").update(stdout).digest("hex");
      return { plan: { digest, add: 1, change: 0, destroy: 0 }, text: stdout };
    },
    async runScript() {
      throw new PrepareError("This executor runs no scripts beside a task");
    },
    async keep(bytes) {
      await ask(path, { op: "keep", id, bytes: bytes.toString("base64") });
    },
    async kept() {
      const { bytes } = await ask(path, { op: "kept", id });
      return bytes === undefined ? undefined : Buffer.from(bytes, "base64");
    },
    async forget() {
      await ask(path, { op: "forget", id }).catch(() => {});
    },
    park: async () => {},
    dropOutput: async () => {},
    result: async () => undefined,
    cleanup: async () => {},
    abandon: async () => {},
  };
}

function exitOf(answer: Answer | undefined): Exit {
  const { code = null, signal = null } = answer?.exit ?? {};
  if (signal) return { kind: "signal", signal, code: 128 };
  return code === null ? { kind: "lost" } : { kind: "code", code };
}
