import { Code } from "@connectrpc/connect";

/** Counts of calls by RPC and by their end: `TaskService/GetTask` → `OK` → number. */
export type Counts = Map<string, Map<string, number>>;

export function count(counts: Counts, rpc: string, end: string): void {
  const ends = counts.get(rpc) ?? new Map<string, number>();
  counts.set(rpc, ends.set(end, (ends.get(end) ?? 0) + 1));
}

/** Returns a table with a line for each RPC and a column for each end. */
export function tableOf(counts: Counts): string {
  const names = ["OK", ...Object.keys(Code).filter((name) => Number.isNaN(Number(name)))];
  const ends = names.filter((name) => [...counts.values()].some((one) => one.has(name)));
  const rows = [...counts]
    .sort()
    .map(([rpc, one]) => [rpc, ...ends.map((end) => String(one.get(end) ?? "·"))]);
  const all = [["", ...ends], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  const line = (row: string[]) =>
    row.map((cell, n) => (n === 0 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0))).join("  ");
  return all.map(line).join("\n");
}
