import { ConfigError, readConfig, SECRET_VARIABLES } from "../../config.ts";
import { openDataFolder } from "../../embedded/data-folder.ts";
import { DataFolderInUseError } from "../../embedded/errors.ts";
import { startEmbeddedPostgres } from "../../embedded/postgres.ts";
import { createCipher } from "../../keys/cipher.ts";
import { sealCheckAnew } from "../../keys/key-check.ts";
import { rotateSecrets } from "../../keys/rotation.ts";
import { readSecretKeys } from "../../keys/secret-key.ts";
import { takeSecrets } from "../../settings/take-secrets.ts";
import { recordChanges, recordRefusal } from "../../store/audit.ts";
import { openDatabase } from "../../store/postgres/database.ts";
import { migratePatiently } from "../../store/postgres/migrate.ts";
import { ROOT } from "../../task/caller.ts";
import { UsageError } from "../errors.ts";
import { print, say } from "../terminal/output.ts";

const UNKNOWN_KEY =
  "none of these keys is the key that servers of this database start with; add that key after the new one, or give --lost-key if it is lost";

/** Who rotates, for the audit events: who has the keys of the server may do everything. */
const ROTATION = { caller: ROOT.name, address: "", method: "rotate-secrets", requestId: "" };
const UNREADABLE = {
  resource: "",
  code: "FAILED_PRECONDITION",
  reason: "SECRETS_UNREADABLE",
  omitted: 0,
} as const;

/** Deadline of one statement. */
const DEADLINE_MS = 60_000;

/**
 * Encrypts all stored secrets with the first key. Returns the exit code: 1 if a secret could not be opened. `lostKey`: servers
 * may start with the first key from now on, although secrets remain that no key opens.
 */
export async function runRotation(
  env: NodeJS.ProcessEnv,
  { lostKey = false }: { lostKey?: boolean } = {},
): Promise<number> {
  const config = settings(env);
  await using stack = new AsyncDisposableStack();
  // Only the embedded database needs the lock of the data folder.
  const folder = config.databaseUrl ? undefined : stack.use(await takeFolder(config.dataDir));
  const embedded = folder && stack.use(await startEmbeddedPostgres(folder));
  const url = config.databaseUrl ?? embedded?.url ?? "";
  const cipher = createCipher(config.secretKeys ?? (await readSecretKeys(folder?.path ?? config.dataDir)));
  await migratePatiently(url);
  const database = openDatabase({ url, max: 1, name: "rotate", deadlineMs: DEADLINE_MS });
  stack.defer(() => database.close());
  const actor = { ...ROTATION, fields: lostKey ? ["lost_key"] : [] };
  // Before the first change, so that a rotation that is killed is recorded too.
  await database.run((db) => recordChanges(db, actor, [{ resource: "" }]));
  const { sealed, failed } = await rotateSecrets(database, cipher);
  for (const failure of failed) say(failure);
  const isSealed = await sealCheckAnew(database, cipher, lostKey);
  if (!isSealed) say(UNKNOWN_KEY);
  if (failed.length > 0 || !isSealed) await recordRefusal(database, actor, UNREADABLE);
  const { accessKeys, environments, tasks } = sealed;
  await print(
    `Encrypted under the first key: ${accessKeys} access keys, ${environments} environments, ${tasks} tasks`,
  );
  return failed.length > 0 || !isSealed ? 1 : 0;
}

async function takeFolder(dir: string) {
  try {
    return await openDataFolder(dir);
  } catch (error) {
    if (error instanceof DataFolderInUseError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

function settings(env: NodeJS.ProcessEnv) {
  try {
    return readConfig({}, takeSecrets(SECRET_VARIABLES, env));
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}
