/**
 * For one service that stores logs on a small machine. Nothing here gives up durability: fsync, full_page_writes and
 * synchronous_commit stay on.
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
  // Parallel workers share through /dev/shm, which containers keep at 64 MB; the queries are small.
  max_parallel_workers_per_gather: 0,
  jit: "off",
  random_page_cost: 1.1,
  password_encryption: "scram-sha-256",
  // A server that was killed must not leave a long query behind.
  client_connection_check_interval: "10s",
  timezone: "UTC",
  log_timezone: "UTC",
  lc_messages: "C",
  default_text_search_config: "pg_catalog.english",
  log_checkpoints: "off",
  log_line_prefix: "%m [%p] ",
  // Statements and the rows they failed on may hold what is secret.
  log_error_verbosity: "terse",
  log_min_error_statement: "panic",
};

/** postgresql.conf, written anew at every start. `custom.conf` beside the data is the operator's and wins. */
export function postgresqlConf(): string {
  const lines = Object.entries(SETTINGS).map(([name, value]) => `${name} = ${quote(String(value))}`);
  return [
    "# Signalman writes this file at every start. Settings of your own belong into ../custom.conf.",
    ...lines,
    "include '../custom.conf'",
    "",
  ].join("\n");
}

/** What `custom.conf` says until its owner changes it. */
export const CUSTOM_CONF =
  "# Your own PostgreSQL settings; they beat those of Signalman and count from the next start.\n";

/** A password even through the socket, whose folder only the owner can enter. Nobody gets in over TCP. */
export const PG_HBA_CONF = "# Signalman writes this file at every start.\nlocal all all scram-sha-256\n";

/** What neither file may change; given on the command line, which beats them. */
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
