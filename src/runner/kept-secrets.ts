import { runContext } from "../keys/access-key.ts";
import type { Cipher } from "../keys/cipher.ts";
import { messageOf, PrepareError } from "../task/errors.ts";
import type { TaskRun } from "./run.ts";

/*
 * What a program was given as a secret is masked as long as its task lives: also on the server that takes it over, when
 * the catalog holds another value already, or none. So it is kept with the task, encrypted.
 */

/** Before the program is started. */
export async function keepSecrets(
  cipher: Pick<Cipher, "seal">,
  { task, job, secrets }: TaskRun,
): Promise<void> {
  if (secrets.length > 0) await job.keep(cipher.seal(JSON.stringify(secrets), runContext(task.id)));
}

/**
 * All that was kept, by this server or an earlier one. If that cannot be read, a program that runs goes on, and the log
 * says so; but a plan holds the values that it was made with, so it is not applied.
 * @throws PrepareError in that case.
 */
export async function earlierSecrets(
  cipher: Pick<Cipher, "open">,
  { task, job, log, mayRun }: TaskRun,
): Promise<string[]> {
  if (!mayRun) return [];
  try {
    const kept = await job.kept();
    return kept ? (JSON.parse(cipher.open(kept, runContext(task.id))) as string[]) : [];
  } catch (cause) {
    const why = messageOf(cause);
    if (task.status === "CONFIRMED") {
      const message = `Cannot apply the plan: the secrets that it was made with cannot be masked: ${why}`;
      throw new PrepareError(message, { cause });
    }
    log.say(`Cannot mask secrets that were changed since the task began: ${why}`);
    return [];
  }
}
