import { UsageError } from "../errors.ts";
import { hasTerminal, openPrompt } from "../terminal/prompt.ts";

/**
 * Returns the values of `--secret`: those given, else those of the environment, else those typed at the terminal, unseen.
 * @throws UsageError if a value is missing and there is no terminal, or `mayAsk` is false
 */
export async function findSecrets(
  secrets: Record<string, string | undefined> = {},
  mayAsk: boolean,
): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(secrets))
    found[name] = value ?? process.env[name] ?? (await ask(name, mayAsk));
  return found;
}

async function ask(name: string, mayAsk: boolean): Promise<string> {
  if (!mayAsk || !hasTerminal()) {
    throw new UsageError(
      `--secret ${name}: there is no ${name} in the environment, and no terminal to ask at`,
    );
  }
  using prompt = openPrompt();
  return await prompt.ask(`${name}: `, { isSecret: true });
}
