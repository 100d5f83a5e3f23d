import { createInterface } from "node:readline/promises";
import { UsageError } from "../errors.ts";

/**
 * Asks a question on the terminal. `y` and `yes` agree, all else refuses.
 * @throws UsageError with the advice `instead` if there is no terminal
 */
export async function askYes(question: string, instead: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new UsageError(`cannot ask "${question}": stdin and stderr are no terminal; ${instead}`);
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
