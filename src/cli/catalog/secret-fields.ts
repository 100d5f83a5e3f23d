import type { Path } from "./path.ts";

/** Fields of a catalog that hold secrets; `*` means any position or name. */
const SECRET_FIELDS = [
  "accessKeys.*.ssh.privateKey",
  "accessKeys.*.ssh.passphrase",
  "accessKeys.*.loginPassword.password",
  "accessKeys.*.text.value",
  "environments.*.secretVariables.*",
  "environments.*.secretEnv.*",
].map((field) => field.split("."));

/** Whether the value at a path of a catalog is a secret. A field has two names in JSON, and both are known. */
export function isSecretField(path: Path): boolean {
  return SECRET_FIELDS.some(
    (field) =>
      field.length === path.length &&
      field.every((step, at) => step === "*" || [step, snakeCase(step)].includes(String(path[at]))),
  );
}

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
