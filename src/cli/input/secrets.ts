import { UsageError } from "../errors.ts";
import { hasTerminal, openPrompt } from "../terminal/prompt.ts";

/**
 * The values of `--secret`: those given, else from our environment, else asked for on the terminal without showing them.
 * @throws UsageError if there is nobody to ask, or nobody may be asked.
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
