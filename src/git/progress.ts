const EVERY_MS = 5000;

/** Says how far a long clone is: nothing in its first 5 s, and at most one line in 5 s. */
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
