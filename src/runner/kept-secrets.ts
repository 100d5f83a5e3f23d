import { runContext } from "../keys/access-key.ts";
import type { Cipher } from "../keys/cipher.ts";
import { messageOf, PrepareError } from "../task/errors.ts";
import type { TaskRun } from "./run.ts";

/*
 * What a program was given as a secret is masked as long as its task lives: also on the server that takes it over, when
 * the catalog holds another value already, or none. So it is kept with the task, encrypted. A plan that waits needs its
 * secret variables once more when it is applied.
 */
export interface KeptSecrets {
  /** Values to mask. */
  values: readonly string[];
  /** Secret variables by name; undefined: kept by a release that did not keep them. */
  variables: Record<string, string> | undefined;
}

/** Before the program is started. */
export async function keepSecrets(
  cipher: Pick<Cipher, "seal">,
  { task, job, secrets, details }: TaskRun,
): Promise<void> {
  if (secrets.length === 0) return;
  const kept: KeptSecrets = { values: secrets, variables: details?.secretVariables };
  await job.keep(cipher.seal(JSON.stringify(kept), runContext(task.id)));
}

/**
 * All that was kept, by this server or an earlier one. If that cannot be read, a program that runs goes on, and the log
 * says so; but a plan holds the values that it was made with, so it is not applied.
 * @throws PrepareError in that case.
 */
export async function earlierSecrets(
  cipher: Pick<Cipher, "open">,
  { task, job, log, mayRun }: TaskRun,
): Promise<KeptSecrets> {
  const none = { values: [], variables: {} };
  if (!mayRun) return none;
  try {
    const sealed = await job.kept();
    if (!sealed) return none;
    const kept = JSON.parse(cipher.open(sealed, runContext(task.id))) as KeptSecrets | string[];
    // Earlier releases kept the values alone.
    return Array.isArray(kept) ? { values: kept, variables: undefined } : kept;
  } catch (cause) {
    const why = messageOf(cause);
    if (task.status === "CONFIRMED") {
      const message = `Cannot apply the plan: the secrets that it was made with cannot be masked: ${why}`;
      throw new PrepareError(message, { cause });
    }
    log.say(`Cannot mask secrets that were changed since the task began: ${why}`);
    return none;
  }
}
