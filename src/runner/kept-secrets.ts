import { runContext } from "../keys/access-key.ts";
import type { Cipher } from "../keys/cipher.ts";
import { messageOf, PrepareError } from "../task/errors.ts";
import type { TaskRun } from "./run.ts";

/*
 * Secrets that a program was started with are masked until its task ends, also by a server that takes the task over
 * after the catalog was changed. They are therefore stored with the task, encrypted. A parked plan also needs the
 * values of its secret variables again when it is applied.
 */
export interface KeptSecrets {
  /** Values to mask. */
  values: readonly string[];
  /** Secret variables by name; undefined: stored by an earlier release, which did not keep them. */
  variables: Record<string, string> | undefined;
}

/** Stores the secrets of a run with its task. Called before the program is started. */
export async function keepSecrets(
  cipher: Pick<Cipher, "seal">,
  { task, job, secrets, details }: TaskRun,
): Promise<void> {
  if (secrets.length === 0) return;
  const kept: KeptSecrets = { values: secrets, variables: details?.secretVariables };
  await job.keep(cipher.seal(JSON.stringify(kept), runContext(task.id)));
}

/** Opens the bytes that `keepSecrets` stored with a task; undefined: none. @throws Error if they cannot be read. */
export function openKept(
  cipher: Pick<Cipher, "open">,
  taskId: string,
  sealed: Buffer | undefined,
): KeptSecrets {
  if (!sealed) return { values: [], variables: {} };
  const kept = JSON.parse(cipher.open(sealed, runContext(taskId))) as KeptSecrets | string[];
  // Earlier releases kept the values alone.
  return Array.isArray(kept) ? { values: kept, variables: undefined } : kept;
}

/**
 * Returns the secrets that this server or an earlier one has stored with the task. If they cannot be read, a running
 * program goes on and the log says so. A plan contains the values that it was made with, which then could not be
 * masked.
 * @throws PrepareError if the task is a confirmed plan whose secrets cannot be read.
 */
export async function earlierSecrets(
  cipher: Pick<Cipher, "open">,
  { task, job, log, mayRun }: TaskRun,
): Promise<KeptSecrets> {
  const none = { values: [], variables: {} };
  if (!mayRun) return none;
  try {
    return openKept(cipher, task.id, await job.kept());
  } catch (cause) {
    const why = messageOf(cause);
    if (task.status === "CONFIRMED") {
      const message = `Cannot apply the plan: the secrets that it was made with cannot be masked: ${why}. Run the template again for a new plan`;
      throw new PrepareError(message, { cause });
    }
    log.say(
      `Cannot mask secrets that were changed since the task started, because its stored secrets cannot be read: ${why}`,
    );
    return none;
  }
}
