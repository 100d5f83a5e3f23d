/** The end of a program. It is a value and never an exception. */
export type Exit =
  | { kind: "code"; code: number }
  /** `code` is 128 + n by the shell's convention; a program that exits with 143 by itself looks the same. */
  | { kind: "signal"; signal: NodeJS.Signals; code: number }
  /** Lost: neither a record of the exit nor a process exists, since the machine went down or the wrapper was killed. */
  | { kind: "lost" };
