/**
 * Calls `over` once a peer has had `ms` to say something; returns what calls that off. If we have stood still meanwhile,
 * what came in time is read first: timers run before sockets are looked at, and an immediate behind that.
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
