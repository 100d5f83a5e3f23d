import { createInterface } from "node:readline/promises";
import { UsageError } from "../errors.ts";

/** Asks on the terminal; anything but `yes` is no. @throws UsageError that says `instead` if there is nobody to ask. */
export async function askYes(question: string, instead: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new UsageError(`There is no terminal to ask at: ${instead}`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const noAnswer = new Promise<string>((resolve) => terminal.once("close", () => resolve("")));
  try {
    return /^(y|yes)$/i.test(
      (await Promise.race([terminal.question(`${question} (yes/no) `), noAnswer])).trim(),
    );
  } finally {
    terminal.close();
  }
}
