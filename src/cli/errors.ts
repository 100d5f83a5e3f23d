/** The command line, or a file that it names, is wrong. One sentence a line. */
export class UsageError extends Error {
  readonly lines: readonly string[];

  constructor(lines: string | readonly string[], options?: ErrorOptions) {
    const list = typeof lines === "string" ? [lines] : lines;
    super(list.join("\n"), options);
    this.name = "UsageError";
    this.lines = list;
  }
}

/** A signal ended the watching, not the task. */
export class Left extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super("left");
    this.name = "Left";
    this.exitCode = exitCode;
  }
}
