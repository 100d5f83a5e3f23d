/**
 * Settings for one service that stores logs on a small machine. Durability stays as it is: fsync, full_page_writes
 * and synchronous_commit are on.
 */
const SETTINGS: Record<string, string | number> = {
  max_connections: 100,
  shared_buffers: "128MB",
  wal_buffers: "16MB",
  max_wal_size: "1GB",
  min_wal_size: "128MB",
  // Fewer full page images; a crash replays at most max_wal_size.
  checkpoint_timeout: "15min",
  wal_compression: "pglz",
  // Parallel workers share memory in /dev/shm, which containers limit to 64 MB; the queries are small.
  max_parallel_workers_per_gather: 0,
  jit: "off",
  random_page_cost: 1.1,
  password_encryption: "scram-sha-256",
  // Ends a long query of a server that was killed.
  client_connection_check_interval: "10s",
  timezone: "UTC",
  log_timezone: "UTC",
  lc_messages: "C",
  default_text_search_config: "pg_catalog.english",
  log_checkpoints: "off",
  log_line_prefix: "%m [%p] ",
  // Statements and the rows on which they failed may hold secrets.
  log_error_verbosity: "terse",
  log_min_error_statement: "panic",
};

/**
 * Returns postgresql.conf, written at every start. `custom.conf` beside the data is the operator's and overrides it.
 */
export function postgresqlConf(): string {
  const lines = Object.entries(SETTINGS).map(([name, value]) => `${name} = ${quote(String(value))}`);
  return [
    "# Signalman writes this file at every start. Put your own settings into ../custom.conf.",
    ...lines,
    "include '../custom.conf'",
    "",
  ].join("\n");
}

/** Content of a new `custom.conf`. */
export const CUSTOM_CONF =
  "# Your own PostgreSQL settings. They override those of Signalman from the next start on.\n";

/** Asks for a password even on the socket, whose folder only the owner can enter. Allows no connection over TCP. */
export const PG_HBA_CONF = "# Signalman writes this file at every start.\nlocal all all scram-sha-256\n";

/** Returns the settings that neither file may change. They are given on the command line, which overrides the files. */
export function fixedSettings(socketFolder: string): Record<string, string> {
  return {
    listen_addresses: "",
    port: "5432",
    unix_socket_directories: `"${socketFolder.replaceAll('"', '""')}"`,
    unix_socket_permissions: "0700",
    logging_collector: "off",
  };
}

export function toFlags(settings: Record<string, string>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

function quote(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
