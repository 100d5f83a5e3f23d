import type { Logger } from "pino";

/** Milliseconds for which refusals of one reason are only counted after one of them was logged. */
const SAMPLE_MS = 10_000;

export interface Refusal {
  reason: string;
  peer: string;
  /** Method and code of a refused call; none for a refused connection. */
  method?: string;
  code?: string;
}

/**
 * Logs refusals of calls and connections: of each reason the first at once, then one line every 10 s with the number since
 * the last line and the newest refusal, so that a flood of calls is no flood of lines. Messages are not logged, since they may
 * quote the request.
 */
export function createRefusalLog(logger: Logger, sampleMs = SAMPLE_MS): (refusal: Refusal) => void {
  const counted = new Map<string, { count: number; newest: Refusal }>();
  const write = (refusal: Refusal, count: number): void =>
    logger.info(
      { ...refusal, count },
      refusal.method ? "rpc refused before its body was read" : "connection refused",
    );

  function sample(reason: string): void {
    const { count, newest } = counted.get(reason) ?? { count: 0 };
    counted.delete(reason);
    if (newest === undefined || count === 0) return;
    write(newest, count);
    open(newest);
  }

  function open(refusal: Refusal): void {
    counted.set(refusal.reason, { count: 0, newest: refusal });
    setTimeout(sample, sampleMs, refusal.reason).unref();
  }

  return (refusal) => {
    const seen = counted.get(refusal.reason);
    if (seen) {
      seen.count++;
      seen.newest = refusal;
      return;
    }
    write(refusal, 1);
    open(refusal);
  };
}
