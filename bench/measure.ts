/** One figure of a run. */
export interface Row {
  /** Letter of the part that measured it. */
  part: string;
  what: string;
  value: number;
  unit: string;
  /** Goal of a ratio, such as `≥ 0.5`; undefined: the figure has no goal. */
  goal?: string;
  reached?: boolean;
}

export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((p / 100) * sorted.length))] ?? Number.NaN;
}

export function ratio(
  part: string,
  what: string,
  value: number,
  op: "≥" | "≤",
  limit: number,
  unit = "times the floor",
): Row {
  return {
    part,
    what,
    value,
    unit,
    goal: `${op} ${limit}`,
    reached: op === "≥" ? value >= limit : value <= limit,
  };
}

export function table(rows: readonly Row[]): string {
  const ordered = [...rows.filter((r) => !r.goal), ...rows.filter((r) => r.goal)];
  const width = Math.max(...ordered.map((r) => r.what.length));
  return ordered
    .map(({ part, what, value, unit, goal, reached }) => {
      const figure = format(value).padStart(12);
      return `${part}  ${what.padEnd(width)} ${figure} ${unit}${goal ? `   (${goal}: ${reached ? "reached" : "NOT REACHED"})` : ""}`;
    })
    .join("\n");
}

function format(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en");
  return value.toFixed(2);
}
