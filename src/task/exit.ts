/** How a program ended. A value, never an exception. */
export type Exit =
  | { kind: "code"; code: number }
  /** `code` is 128 + n by the shell's convention; a program that exits with 143 by itself looks the same. */
  | { kind: "signal"; signal: NodeJS.Signals; code: number }
  /** There is neither a record of its end nor a process: the machine went down, or its supervisor was killed. */
  | { kind: "lost" };
