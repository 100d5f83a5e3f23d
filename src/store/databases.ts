import { type Database, openDatabase } from "./database.ts";

/** Pools apart, so that neither a flood of log chunks nor many readers keep a lease from being renewed. */
export interface Databases {
  /** Leases, statuses, creation: small and urgent. */
  control: Database;
  /** Chunks of logs. */
  logs: Database;
  /** What callers read. */
  reads: Database;
  close(): Promise<void>;
}

/** Milliseconds. */
const DEADLINES = { control: 5_000, logs: 15_000, reads: 15_000 };

export function openDatabases(url: string): Databases {
  const control = openDatabase({ url, max: 4, name: "control", deadlineMs: DEADLINES.control });
  const logs = openDatabase({ url, max: 4, name: "logs", deadlineMs: DEADLINES.logs });
  const reads = openDatabase({ url, max: 8, name: "reads", deadlineMs: DEADLINES.reads });
  return {
    control,
    logs,
    reads,
    close: async () => void (await Promise.all([control.close(), logs.close(), reads.close()])),
  };
}
