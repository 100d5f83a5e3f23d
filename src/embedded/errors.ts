/** Another living process holds the data folder. `pid` is the pid that it wrote into the lock file. */
export class DataFolderInUseError extends Error {
  override readonly name = "DataFolderInUseError";
  readonly path: string;
  readonly pid: number | undefined;

  constructor(path: string, pid: number | undefined) {
    const holder = pid === undefined ? "another process" : `process ${pid}`;
    super(
      `Cannot use the data folder ${path}: ${holder} is using it. Stop that server first, or give this server another folder.`,
    );
    this.path = path;
    this.pid = pid;
  }
}

/** The embedded PostgreSQL cannot be created, started, adopted or stopped; the message says what to do. */
export class EmbeddedPostgresError extends Error {
  override readonly name = "EmbeddedPostgresError";
}
