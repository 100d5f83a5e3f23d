/** Table in GitHub's Markdown. Bars and line ends within cells are escaped. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escapeCell).join(" | ")} |\n`;
  return line(head) + line(head.map(() => "---")) + rows.map(line).join("");
}

const escapeCell = (text: string) => text.replaceAll("|", "\\|").replace(/\s*\n\s*/g, "<br>");
