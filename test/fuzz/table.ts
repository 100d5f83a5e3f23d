import { Code } from "@connectrpc/connect";

/** How often which RPC ended how: `TaskService/GetTask` → `OK` → times. */
export type Counts = Map<string, Map<string, number>>;

export function count(counts: Counts, rpc: string, end: string): void {
  const ends = counts.get(rpc) ?? new Map<string, number>();
  counts.set(rpc, ends.set(end, (ends.get(end) ?? 0) + 1));
}

/** A line for each RPC, a column for each end that there was. */
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
