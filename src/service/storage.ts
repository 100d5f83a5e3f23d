import type { Logger } from "pino";
import type { Config } from "../config.ts";
import { openDataFolder } from "../embedded/data-folder.ts";
import { startEmbeddedPostgres } from "../embedded/postgres.ts";
import { type Cipher, createCipher } from "../keys/cipher.ts";
import { checkSecretKeys } from "../keys/key-check.ts";
import { readSecretKeys } from "../keys/secret-key.ts";
import { setAuditRetention } from "../store/audit.ts";
import { type Databases, openDatabases } from "../store/postgres/databases.ts";
import { migratePatiently } from "../store/postgres/migrate.ts";
import { retryTransient } from "../store/postgres/transient-errors.ts";
import { warnOnce } from "../telemetry/warn-once.ts";

/** Where a server keeps what outlives it: the data folder, the database, and the key of the secrets there. */
export interface Storage {
  /** Id of this server's node. */
  node: string;
  /** Path of the data folder, which is locked for this server. */
  dataDir: string;
  databaseUrl: string;
  databases: Databases;
  cipher: Cipher;
}

/**
 * Locks the data folder, starts the embedded PostgreSQL if no database is configured, migrates the database, and checks
 * the secret key. Waits for a database that is away. `died` resolves to a sentence if the embedded PostgreSQL ends.
 */
export async function openStorage(
  config: Config,
  logger: Logger,
  stack: AsyncDisposableStack,
): Promise<Storage & { died: Promise<string> }> {
  const folder = stack.use(await openDataFolder(config.dataDir));
  const embedded =
    config.databaseUrl === undefined ? stack.use(await startEmbeddedPostgres(folder)) : undefined;
  const databaseUrl = config.databaseUrl ?? embedded?.url ?? "";
  await migratePatiently(databaseUrl, warnOnce(logger, "waiting for the database"));
  const cipher = createCipher(config.secretKeys ?? (await readSecretKeys(folder.path)));
  const databases = openDatabases(databaseUrl);
  stack.defer(() => databases.close());
  const source = config.secretKeys ? "SIGNALMAN_SECRET_KEY" : `${folder.path}/secret.key`;
  await retryTransient(
    () => checkSecretKeys(databases.control, cipher, source),
    new AbortController().signal,
    warnOnce(logger, "waiting for the database"),
  );
  await retryTransient(
    () => setAuditRetention(databases.control, config.auditRetention),
    new AbortController().signal,
    warnOnce(logger, "waiting for the database"),
  );
  return {
    node: folder.nodeId,
    dataDir: folder.path,
    databaseUrl,
    databases,
    cipher,
    died: embedded?.died ?? new Promise(() => {}),
  };
}
