import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { UsageError } from "./errors.ts";

/**
 * The values of `--secret`: those given, else from our environment, else asked for on the terminal without showing them.
 * @throws UsageError if there is nobody to ask.
 */
export async function findSecrets(
  secrets: Record<string, string | undefined> = {},
): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(secrets))
    found[name] = value ?? process.env[name] ?? (await ask(name));
  return found;
}

async function ask(name: string): Promise<string> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new UsageError(
      `--secret ${name}: there is no ${name} in the environment, and no terminal to ask at`,
    );
  }
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  const interrupted = new Promise<never>((_, reject) => {
    terminal.once("SIGINT", () => reject(new UsageError(`--secret ${name}: no answer`)));
    terminal.once("close", () => reject(new UsageError(`--secret ${name}: no answer`)));
  });
  process.stderr.write(`${name}: `);
  try {
    return await Promise.race([terminal.question(""), interrupted]);
  } finally {
    terminal.close();
    process.stderr.write("\n");
  }
}
