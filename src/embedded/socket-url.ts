/**
 * Returns the URL of a server on a unix socket, in the form of libpq: the folder of the socket, percent-encoded,
 * is the host. psql takes it as it is; postgres.js needs `socketOptions` in addition.
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
 * Returns the options that postgres.js needs in addition to the URL, since version 3.4.9 does not decode the host:
 * `postgres(url, { ...socketOptions(url), max: 10 })`. Empty for a URL with an ordinary host.
 */
export function socketOptions(url: string): { path?: string } {
  const { hostname, port } = new URL(url);
  const folder = decodeURIComponent(hostname);
  return folder.startsWith("/") ? { path: `${folder}/.s.PGSQL.${port || 5432}` } : {};
}
