/**
 * Calls `over` when a peer has sent nothing for `ms` milliseconds; returns a function that cancels it. If this
 * process was paused meanwhile, bytes that came in time are read first: timers run before sockets are polled,
 * immediates after.
 */
export function startFirstBytesTimeout(ms: number, over: () => void): () => void {
  let behindReading: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => {
    behindReading = setImmediate(over);
  }, ms);
  return () => {
    clearTimeout(timer);
    clearImmediate(behindReading);
  };
}
