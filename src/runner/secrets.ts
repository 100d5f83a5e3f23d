import type { Cipher } from "../keys/cipher.ts";
import { messageOf, PrepareError } from "../task/errors.ts";
import type { TaskRecord } from "../task/types.ts";

/** Binds a task's secrets to what they were given for, so that they open nowhere else. */
const contextOf = (task: Pick<TaskRecord, "project" | "template">) => `task ${task.project}/${task.template}`;

/** Null for none. */
export function sealSecrets(
  cipher: Pick<Cipher, "seal">,
  task: Pick<TaskRecord, "project" | "template">,
  values: Record<string, string>,
): Buffer | null {
  return Object.keys(values).length === 0 ? null : cipher.seal(JSON.stringify(values), contextOf(task));
}

/** @throws PrepareError that says what to do if this server has another key. */
export function openSecrets(
  cipher: Pick<Cipher, "open">,
  task: Pick<TaskRecord, "project" | "template" | "secrets">,
): Record<string, string> {
  if (!task.secrets) return {};
  try {
    return JSON.parse(cipher.open(task.secrets, contextOf(task))) as Record<string, string>;
  } catch (cause) {
    throw new PrepareError(messageOf(cause), { cause });
  }
}
