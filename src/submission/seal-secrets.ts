import { taskContext } from "../keys/access-key.ts";
import type { Cipher } from "../keys/cipher.ts";
import type { TaskRecord } from "../task/types.ts";

/** Encrypts a task's secret variables for its template; null if it has none. */
export function sealSecrets(
  cipher: Pick<Cipher, "seal">,
  task: Pick<TaskRecord, "project" | "template">,
  values: Record<string, string>,
): Buffer | null {
  return Object.keys(values).length === 0
    ? null
    : cipher.seal(JSON.stringify(values), taskContext(task.project, task.template));
}
