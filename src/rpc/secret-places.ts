/** Fields of the contract with secret values, which no error and no line of the log shows. */
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

/** Replaces a secret value in an error. */
export const NOT_SHOWN = "a value that is not shown";

/** True if a path, by names of the contract or of JSON, leads to a secret field or into one. */
export function isSecretPlace(path: readonly PropertyKey[]): boolean {
  return path.some((step) => FIELDS.has(snakeCase(String(step))));
}

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
