import { cut, width } from "./width.ts";

/** Columns of the terminal on stdout; undefined: stdout is none, so that nothing is cut. */
export const terminalWidth = (): number | undefined =>
  process.stdout.isTTY ? process.stdout.columns : undefined;

export interface TableOptions {
  /** Columns of the terminal; undefined: no limit. */
  width?: number;
  /** Functions that color the cells of a column, by its position; the color does not count as width. */
  styles?: Record<number, (cell: string, row: number) => string>;
}

const GAP = 2;
/** Narrowest last column that is worth showing. */
const LEAST = 8;

/** Returns aligned lines, the header first. The last column is cut to the width, or left out if little of it would fit. */
export function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  options: TableOptions = {},
): string[] {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => width(row[column] ?? ""))));
  const last = widths.length - 1;
  const before = widths.slice(0, last).reduce((sum, w) => sum + w + GAP, 0);
  const room = (options.width ?? Number.POSITIVE_INFINITY) - before;
  const columns = room < Math.min(LEAST, widths[last] ?? 0) ? last : last + 1;
  return all.map((row, at) => {
    const cells = row.slice(0, columns).map((cell, column) => {
      const text = column === last ? cut(cell, room) : cell;
      const padding = column === columns - 1 ? "" : " ".repeat((widths[column] ?? 0) - width(text) + GAP);
      const style = at > 0 ? options.styles?.[column] : undefined;
      return (style ? style(text, at - 1) : text) + padding;
    });
    return cells.join("").trimEnd();
  });
}
