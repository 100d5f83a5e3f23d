/**
 * A URL for a server behind a unix socket, as libpq writes it: the folder of the socket, percent-encoded, is the host.
 * psql takes it as it is; postgres.js needs `socketOptions` beside it.
 */
export function socketUrl(to: {
  socketFolder: string;
  user: string;
  password: string;
  database: string;
}): string {
  const [host, user, password, database] = [to.socketFolder, to.user, to.password, to.database].map(
    encodeURIComponent,
  );
  return `postgres://${user}:${password}@${host}/${database}`;
}

/**
 * What postgres.js has to be told beside the URL, since it does not decode a host (3.4.9):
 * `postgres(url, { ...socketOptions(url), max: 10 })`. Nothing for a URL with an ordinary host.
 */
export function socketOptions(url: string): { path?: string } {
  const { hostname, port } = new URL(url);
  const folder = decodeURIComponent(hostname);
  return folder.startsWith("/") ? { path: `${folder}/.s.PGSQL.${port || 5432}` } : {};
}
