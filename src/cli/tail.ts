import type { LogLine, LogStream } from "../../gen/signalman/v1/task_pb.ts";
import { type LogRange, logPages } from "./log-pages.ts";
import type { Session } from "./session.ts";

/** Size up to which the pieces of a line count as one line. */
const MOST_LINE_BYTES = 1024 * 1024;
/**
 * Maximum number of pieces of a line of 1 MiB: a piece has 16 KiB, less up to 3 bytes where it is cut between characters.
 */
const MOST_PIECES = 66;
/** Largest `tail_lines` that the service takes. */
const MOST_TAIL = 1_000_000;

/** Returns the start of a read of the last `tail` lines; undefined: the read begins with the first line. */
export async function startFor(
  session: Session,
  range: Omit<LogRange, "start">,
  tail: number | undefined,
): Promise<LogRange["start"]> {
  if (tail === undefined) return undefined;
  if (tail === 0) return { case: "tailLines", value: 0 };
  return { case: "afterSeq", value: await tailStart(session, range, tail) };
}

/**
 * Returns the line number after which the last `count` lines begin. The service counts every piece of a line that was long
 * or was written in parts; here the pieces of a line count as one.
 */
async function tailStart(session: Session, range: Omit<LogRange, "start">, count: number): Promise<bigint> {
  for (let pieces = count + MOST_PIECES; ; pieces *= 4) {
    const tail = Math.min(pieces, MOST_TAIL);
    const starts = createLineStarts();
    let read = 0;
    for await (const page of logPages(session, { ...range, start: { case: "tailLines", value: tail } })) {
      for (const line of page.lines) starts.add(line);
      read += page.lines.length;
    }
    const isAll = read < tail;
    const known = isAll ? starts.all : starts.certain;
    if (isAll || known.length >= count || tail >= Math.min(MOST_TAIL, count * MOST_PIECES))
      return (known.at(-count) ?? known[0] ?? 1n) - 1n;
  }
}

/**
 * Collects the numbers of pieces that begin a line. `certain` leaves out the first piece of each stream, which may belong to
 * a line that began earlier.
 */
function createLineStarts() {
  const all: bigint[] = [];
  const certain: bigint[] = [];
  /** Bytes so far of the unfinished line of each stream; 0: its last line is complete. */
  const open = new Map<LogStream, number>();
  return {
    all,
    certain,
    add({ seq, stream, content, partial }: LogLine): void {
      const before = open.get(stream);
      const isStart = !before || before + content.length > MOST_LINE_BYTES;
      if (isStart) all.push(seq);
      if (isStart && before !== undefined) certain.push(seq);
      open.set(stream, partial ? (isStart ? 0 : before) + content.length : 0);
    },
  };
}
