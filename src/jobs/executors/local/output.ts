import type { StreamOffsets } from "../../../logs/types.ts";
import { keepBackpressure, unreadBytes } from "../../../process/backpressure.ts";
import { isOutputMissing, readStatus } from "../../../process/journal.ts";
import type { RunningProcess } from "../../../process/process.ts";
import { punch } from "../../../process/punch.ts";
import { tailSpool } from "../../../process/tail.ts";
import type { Output, Program, ProgramEnd } from "../../job.ts";

/** Bytes of committed output after which their disk space is freed. */
const PUNCH_EVERY = 32 * 1024 * 1024;

/**
 * Wraps a process on this machine, whose output is in the folder `spool`, as a `Program`.
 * `politeSignal`: signal that asks the process to end; undefined: SIGTERM
 */
export function localProgram(
  process: RunningProcess,
  spool: string,
  politeSignal: "SIGINT" | undefined,
): Program {
  const read: StreamOffsets = { stdout: 0, stderr: 0 };
  let punched = 0;
  const ended = process.ended.then((exit): ProgramEnd => ({ exit, isOutputMissing: isOutputMissing(spool) }));
  ended.catch(() => {}); // not unhandled: callers that wait for `ended` get the rejection

  async function* output(from: Readonly<StreamOffsets>, signal: AbortSignal): AsyncGenerator<Output, void> {
    Object.assign(read, from);
    using _backpressure = keepBackpressure({ folder: spool, pumps: process, read: () => read });
    for await (const piece of tailSpool({ folder: spool, from, ended: process.ended, signal })) {
      const end = piece.offset + piece.bytes.length;
      yield piece;
      // Counted as read only after the consumer has asked for the next piece.
      read[piece.stream] = end;
    }
  }

  return {
    output,
    committed({ stdout, stderr }) {
      if (stdout + stderr - punched < PUNCH_EVERY) return;
      punched = stdout + stderr;
      void punch(spool, { stdout, stderr });
    },
    unread: () => orElse(0, () => unreadBytes(spool, read)), // 0 if the spool was removed, as the program will be
    hasExited: () => orElse(false, () => readStatus(spool) !== undefined),
    ended,
    kill: ({ graceMs }) => process.kill({ graceMs, ...(politeSignal && { signal: politeSignal }) }),
    release: () => process.release(),
  };
}

function orElse<T>(otherwise: T, read: () => T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
