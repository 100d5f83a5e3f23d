/**
 * A small VT100 that holds what a person sees. It knows the sequences that these tests use: text, CR, LF, IND, cursor up and down,
 * save and restore, to a column, erase in line, erase below, colors. Anything else is an error of the test.
 */
export class Terminal {
  readonly lines: string[][] = [[]];
  readonly #rows: number;
  readonly #columns: number;
  /** First line on the screen. */
  #top = 0;
  #row = 0;
  #column = 0;
  #saved = { row: 0, column: 0 };

  constructor(rows: number, columns: number) {
    this.#rows = rows;
    this.#columns = columns;
  }

  /** All lines, including those that have scrolled away. */
  get text(): string {
    return this.lines
      .map((line) =>
        Array.from(line, (cell) => cell ?? " ")
          .join("")
          .trimEnd(),
      )
      .join("\n")
      .trimEnd();
  }

  write(text: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal's language
    for (const [token] of text.matchAll(/\x1b\[[0-9;?]*[A-Za-z]|\x1b.|[^\x1b]/gsu)) this.#take(token);
  }

  #take(token: string): void {
    if (token === "\r") this.#column = 0;
    else if (token === "\n" || token === "\x1bD") this.#down();
    else if (token === "\x1b7") this.#saved = { row: this.#row - this.#top, column: this.#column };
    else if (token === "\x1b8") this.#restore();
    else if (token === "\x1b[A") this.#row = Math.max(this.#top, this.#row - 1);
    else if (token === "\x1b[B") this.#row = Math.min(this.#top + this.#rows - 1, this.#row + 1);
    else if (token === "\x1b[2K") this.lines[this.#row] = [];
    else if (token.startsWith("\x1b[") && token.endsWith("G"))
      this.#column = Number.parseInt(token.slice(2), 10) - 1;
    else if (token === "\x1b[0J") this.#eraseBelow();
    else if (token.startsWith("\x1b[") && token.endsWith("m")) return;
    else if (token < " ") throw new Error(`The terminal does not know ${JSON.stringify(token)}`);
    else this.#print(token);
  }

  #print(character: string): void {
    if (this.#column === this.#columns) {
      this.#column = 0;
      this.#down();
    }
    this.lines[this.#row] ??= [];
    (this.lines[this.#row] as string[])[this.#column++] = character;
  }

  #down(): void {
    this.#row += 1;
    this.lines[this.#row] ??= [];
    if (this.#row - this.#top === this.#rows) this.#top += 1;
  }

  #eraseBelow(): void {
    this.lines[this.#row]?.splice(this.#column);
    this.lines.splice(this.#row + 1);
  }

  #restore(): void {
    this.#row = this.#top + this.#saved.row;
    this.#column = this.#saved.column;
  }
}
