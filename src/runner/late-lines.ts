import type { Logger } from "pino";
import { type Executors, executorOf, type Leftovers } from "../jobs/executors/executor.ts";
import type { Program } from "../jobs/job.ts";
import type { Cipher } from "../keys/cipher.ts";
import { openTaskLog } from "../logs/task-log.ts";
import type { StreamOffsets } from "../logs/types.ts";
import type { LateTask } from "../store/logs/late.ts";
import type { StoredChunk } from "../store/logs/logs.ts";
import type { TaskDetails } from "./details.ts";
import { openKept } from "./kept-secrets.ts";
import { compressed } from "./logging.ts";
import type { RunnerDeps } from "./run.ts";

/*
 * A task that is declared LOST has ended with the last line that was stored by then. When its node comes back, the program may
 * have written more. These late lines are stored beside the log, since watchers were told where the log ends.
 */

/** Largest size of the late lines of a task in bytes, with the times and numbers of the lines, before compression. */
const MAX_BYTES = 16 * 1024 * 1024;

export interface LateLinesDeps {
  /** Queries, retried while the database is away. They reject when the server shuts down. */
  store: {
    /** Returns those of the tasks that are LOST, were this node's, and have no late lines yet. */
    readLateTasks(ids: readonly string[]): Promise<LateTask[]>;
    storeLateChunks(taskId: string, chunks: readonly StoredChunk[]): Promise<void>;
  };
  executors: Executors<TaskDetails>;
  cipher: Pick<Cipher, "open">;
  logger: Pick<Logger, "info" | "warn">;
  shutdown: AbortSignal;
}

type KeepLateLines = RunnerDeps["keepLateLines"];

export function createKeepLateLines(deps: LateLinesDeps): KeepLateLines {
  const { store, logger, shutdown } = deps;
  return async (ids) => {
    if (ids.length === 0) return true;
    try {
      for (const late of await store.readLateTasks(ids)) await keepOne(deps, late);
    } catch (err) {
      if (!shutdown.aborted) logger.warn({ err, tasks: ids }, "cannot read which tasks have late lines");
    }
    return !shutdown.aborted;
  };
}

async function keepOne({ store, executors, cipher, logger, shutdown }: LateLinesDeps, late: LateTask) {
  const { task, head } = late;
  try {
    const job = executorOf(executors, task.executor).createJob(task, () => {});
    const program = await job.attach();
    if (typeof program !== "object") return;
    program.kill({ graceMs: 0 });
    await program.ended;
    const { values } = openKept(cipher, task.id, await job.kept());
    const from = { stdout: head.stdoutOffset, stderr: head.stderrOffset };
    const chunks = await readChunks(program, from, values, shutdown);
    await store.storeLateChunks(task.id, chunks);
    const lines = chunks.at(-1)?.lastSeq ?? 0;
    if (lines > 0) logger.info({ task: task.id, lines }, "kept late lines of a LOST task");
  } catch (err) {
    if (!shutdown.aborted) logger.warn({ err, task: task.id }, "cannot keep the late lines of a LOST task");
  }
}

/** Reads the rest of a program's output as compressed chunks, redacted and numbered from 1. */
async function readChunks(
  program: Pick<Program, "output">,
  from: StreamOffsets,
  secrets: readonly string[],
  shutdown: AbortSignal,
): Promise<StoredChunk[]> {
  const chunks: StoredChunk[] = [];
  const full = new AbortController();
  let kept = 0;
  await using log = openTaskLog({
    lastSeq: 0,
    offsets: from,
    secrets,
    sink: {
      async store(chunk) {
        if (full.signal.aborted) return;
        chunks.push(compressed(chunk));
        kept += chunk.data.length;
        if (kept > MAX_BYTES) full.abort();
      },
    },
  });
  for await (const { stream, bytes, offset } of program.output(
    from,
    AbortSignal.any([full.signal, shutdown]),
  ))
    await log.write(stream, bytes, offset);
  shutdown.throwIfAborted();
  // A log that is cut must not be ended: that would show the beginning of a secret whose rest is left out.
  if (full.signal.aborted) return [...chunks, await noteOfCut(chunks)];
  const last = await log.end();
  return last ? [...chunks, compressed(last)] : chunks;
}

/** Returns a chunk that says that late lines were left out. */
async function noteOfCut(chunks: readonly StoredChunk[]): Promise<StoredChunk> {
  const { lastSeq = 0, offsets = { stdout: 0, stderr: 0 } } = chunks.at(-1) ?? {};
  await using log = openTaskLog({ lastSeq, offsets, secrets: [], sink: { store: async () => {} } });
  log.say(`The rest is left out: at most ${MAX_BYTES / 1024 / 1024} MiB of late lines are kept`);
  const chunk = await log.end();
  if (!chunk) throw new Error("The note was sent before the end of its log");
  return compressed(chunk);
}

/** Returns leftovers that are cleared only when the late lines of LOST tasks among them are stored. */
export function withLateLines(leftovers: Leftovers, keep: KeepLateLines): Leftovers {
  return {
    list: () => leftovers.list(),
    async clear(ids) {
      if (await keep(ids)) await leftovers.clear(ids);
    },
    async clearAllBut(kept) {
      const ids = new Set(kept);
      const found = await leftovers.list().catch(() => []);
      if (await keep(found.filter((id) => !ids.has(id)))) await leftovers.clearAllBut(kept);
    },
  };
}
