const EVERY_MS = 5000;

/** Returns a handler of git's progress lines that calls `say` with at most one line every 5 s, none in the first 5 s. */
export function sayProgress(
  what: string,
  say: (text: string) => void,
  everyMs = EVERY_MS,
): (line: string) => void {
  let last = performance.now();
  return (line) => {
    if (performance.now() - last < everyMs || !/\d%/.test(line)) return;
    last = performance.now();
    say(`${what}: ${line.trim()}`);
  };
}
