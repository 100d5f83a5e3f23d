/** Wrong usage: an error in the command line or in a file that it names. Each line is one sentence. */
export class UsageError extends Error {
  readonly lines: readonly string[];

  constructor(lines: string | readonly string[], options?: ErrorOptions) {
    const list = typeof lines === "string" ? [lines] : lines;
    super(list.join("\n"), options);
    this.name = "UsageError";
    this.lines = list;
  }
}

/** The person left, by Ctrl-C or SIGTERM. A task that was watched goes on. */
export class LeftError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super("left");
    this.name = "LeftError";
    this.exitCode = exitCode;
  }
}
