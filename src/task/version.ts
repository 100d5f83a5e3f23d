/**
 * Returns the version that follows `previous`, by Semaphore UI's rule: the last number in `start` counts up, the text
 * around it stays. Unlike Semaphore UI it keeps leading zeros, so that versions of one width sort (`1.0.009`, `1.0.010`).
 * If `start` is higher than `previous`, or `previous` has another form or is empty, the result is `start`. A start without
 * a number never changes.
 */
export function nextVersion(start: string, previous: string): string {
  const parts = /^(?<before>.*?)(?<digits>\d+)(?<behind>\D*)$/s.exec(start)?.groups;
  if (!parts) return start;
  const { before = "", digits = "", behind = "" } = parts;
  const last = numberBetween(previous, before, behind);
  if (last === undefined || BigInt(digits) > last) return start;
  return `${before}${String(last + 1n).padStart(digits.length, "0")}${behind}`;
}

function numberBetween(version: string, before: string, behind: string): bigint | undefined {
  if (!version.startsWith(before) || !version.endsWith(behind)) return undefined;
  const digits = version.slice(before.length, version.length - behind.length);
  return /^\d+$/.test(digits) ? BigInt(digits) : undefined;
}
