import { constants } from "node:os";
import type { Logger } from "pino";
import { type Config, type Flags, readConfig, SECRET_VARIABLES } from "./config.ts";
import { isReadable } from "./process/is-readable.ts";
import { killSelfIn } from "./process/last-resort.ts";
import { startService } from "./service/start.ts";
import { openToAll } from "./settings/source.ts";
import { takeSecrets } from "./settings/take-secrets.ts";
import { isDriverSlip } from "./store/postgres/connection-errors.ts";
import { createLogger } from "./telemetry/logger.ts";

/** Exit codes; `usage`: a flag or a setting is wrong. */
const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** Milliseconds after which an orderly shutdown is cut short. */
const SHUTDOWN_MS = 4500;
/** Seconds after which the process kills itself by SIGKILL; the documentation promises an end within 5 s. */
const LAST_RESORT_S = 5;

/**
 * Runs the server until SIGTERM, SIGINT or a fatal error. Running tasks go on, and the next server on this data folder
 * takes them over. Resolves to the exit code.
 */
export async function serve(flags: Flags): Promise<number> {
  const told = untilSignal();
  let config: Config;
  try {
    config = readConfig(flags, takeSecrets(SECRET_VARIABLES, process.env));
  } catch (error) {
    process.stderr.write(`signalman: ${error instanceof Error ? error.message : error}\n`);
    return EXIT.usage;
  }
  const logger = createLogger(config);
  outliveSlips(logger);
  warnOfPassword(flags, logger);
  warnOfReaders(config, logger);
  logWarnings(logger);
  // A signal also ends a server that is still starting.
  void told.then(({ code }) => exitInTime(code, logger));
  try {
    await using service = await startService(config, logger).catch((cause) => refuse(logger, cause));
    if (!service) return EXIT.failed;
    logger.info({ url: service.url, pid: process.pid }, `ready: ${service.url}`);
    const died = service.died.then((reason) => {
      exitInTime(EXIT.failed, logger);
      return { reason, code: EXIT.failed };
    });
    const end = await Promise.race([told, died]);
    logger.info(end.reason);
    return end.code;
  } catch (error) {
    logger.fatal({ err: error }, error instanceof Error ? error.message : String(error));
    return EXIT.failed;
  } finally {
    logger.flush();
  }
}

function warnOfPassword({ databaseUrl = "" }: Flags, logger: Logger): void {
  if (!URL.canParse(databaseUrl)) return;
  const { password, searchParams } = new URL(databaseUrl);
  if (password || searchParams.has("password"))
    logger.warn(
      "--database-url holds a password, which every user of this machine can read in the list of processes (ps); set DATABASE_URL instead",
    );
}

/** Warns if other users can read the files of secrets, or other programs of this user the memory of this process. */
function warnOfReaders({ secretFiles }: Config, logger: Logger): void {
  for (const file of openToAll(secretFiles))
    logger.warn({ file }, `every user of this machine can read the secret in ${file}: chmod o-rwx it`);
  if (isReadable())
    logger.warn(
      "every program of this server's user can read its memory, and the secrets in it: the optional dependency koffi is missing",
    );
}

/** Reports why the server could not be started: a sentence on stderr, the stack in the log at level debug. */
function refuse(logger: Logger, cause: unknown): undefined {
  logger.debug({ err: cause }, "the server could not be started");
  process.stderr.write(`signalman: ${cause instanceof Error ? cause.message : cause}\n`);
}

/** Makes an uncaught error end the process, except for known harmless errors of the database driver. */
function outliveSlips(logger: Logger): void {
  process.on("uncaughtException", (err) => {
    if (isDriverSlip(err)) return logger.warn({ err }, "the database driver wrote to a lost connection");
    logger.fatal({ err }, `this is a defect: ${err.message}`);
    logger.flush();
    process.exit(EXIT.failed);
  });
}

/** Writes warnings of Node into the log. By default Node prints them as plain text between the lines of the log. */
function logWarnings(logger: Logger): void {
  process.removeAllListeners("warning");
  process.on("warning", (err) => logger.warn({ err }, err.message));
}

/**
 * Ends the process within 5 s. Parts that still wait for a database then are left as after a crash, which the next
 * start repairs.
 */
function exitInTime(code: number, logger: Logger): void {
  killSelfIn(LAST_RESORT_S);
  setTimeout(() => {
    logger.warn("the shutdown took too long and was cut short; the next start takes over what is left");
    logger.flush();
    process.exit(code);
  }, SHUTDOWN_MS).unref();
}

/**
 * Resolves at the first SIGTERM or SIGINT. A second SIGINT ends the process at once. A second SIGTERM does not, since a
 * SIGTERM to the process group arrives twice: from the sender and from the launcher.
 */
function untilSignal(): Promise<{ reason: string; code: number }> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        resolve({ reason: `${signal}: shutting down; running tasks go on`, code: EXIT.ok });
        if (signal === "SIGINT") process.once(signal, () => process.exit(128 + constants.signals[signal]));
      });
    }
  });
}
