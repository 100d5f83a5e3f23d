import type { LogLine, LogStream } from "../../gen/signalman/v1/task_pb.ts";
import { type LogRange, logPages } from "./log-pages.ts";
import type { Session } from "./session.ts";

/** A longer line is counted as several. */
const MOST_LINE_BYTES = 1024 * 1024;
/** Pieces of 16 KiB that a line of 1 MiB has at most, one cut between characters for each. */
const MOST_PIECES = 66;
/** The most that the service counts back. */
const MOST_TAIL = 1_000_000;

/** Where a reader of the last `tail` lines begins; undefined: it reads all of them. */
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
 * The number behind which the last `count` lines begin. The service counts the pieces of long lines and of lines that went
 * on later; here the pieces of a line are one.
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

/** Numbers of the pieces that begin a line. The first piece of each stream may go on with a line from before. */
function createLineStarts() {
  const all: bigint[] = [];
  const certain: bigint[] = [];
  /** Bytes so far of the line that goes on, by stream; 0: none does. */
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
