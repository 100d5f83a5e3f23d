/** Fields of the contract within which values are secret: no error and no line of the log shows what stands there. */
const FIELDS = new Set([
  "secret_variables",
  "secret_env",
  "ssh",
  "private_key",
  "passphrase",
  "login_password",
  "password",
  "text",
]);

/** What stands for a secret in an error. */
export const NOT_SHOWN = "a value that is not shown";

/** Whether a place, by names of the contract or of JSON, is a secret or lies within one. */
export function isSecretPlace(path: readonly PropertyKey[]): boolean {
  return path.some((step) => FIELDS.has(snakeCase(String(step))));
}

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
