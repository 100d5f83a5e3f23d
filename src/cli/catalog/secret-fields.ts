import type { Path } from "./path.ts";

/** Where a catalog holds secrets; `*` stands for any position or name. */
const SECRET_FIELDS = [
  "accessKeys.*.ssh.privateKey",
  "accessKeys.*.ssh.passphrase",
  "accessKeys.*.loginPassword.password",
  "accessKeys.*.text.value",
  "environments.*.secretVariables.*",
  "environments.*.secretEnv.*",
].map((field) => field.split("."));

/** Whether the value at a path of a catalog is a secret, under either of its fields' names in JSON. */
export function isSecretField(path: Path): boolean {
  return SECRET_FIELDS.some(
    (field) =>
      field.length === path.length &&
      field.every((step, at) => step === "*" || [step, snakeCase(step)].includes(String(path[at]))),
  );
}

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
