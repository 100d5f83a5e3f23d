import { type Database, openDatabase } from "./database.ts";

/** Pools apart, so that neither a flood of log chunks nor many readers keep a lease from being renewed. */
export interface Databases {
  /** Leases, statuses, creation: small and urgent. */
  control: Database;
  /** Chunks of logs. */
  logs: Database;
  /** What callers read. */
  reads: Database;
  /** Whether it answers: a question that no queue of ours may hold up. */
  health: Database;
  close(): Promise<void>;
}

/** Milliseconds. */
const DEADLINES = { control: 5_000, logs: 15_000, reads: 5_000, health: 2_000 };

export function openDatabases(url: string): Databases {
  const control = openDatabase({
    url,
    max: 4,
    name: "control",
    deadlineMs: DEADLINES.control,
    plansOnce: true,
  });
  const logs = openDatabase({ url, max: 4, name: "logs", deadlineMs: DEADLINES.logs, plansOnce: true });
  const reads = openDatabase({ url, max: 8, name: "reads", deadlineMs: DEADLINES.reads });
  const health = openDatabase({ url, max: 1, name: "health", deadlineMs: DEADLINES.health });
  const all = [control, logs, reads, health];
  return {
    control,
    logs,
    reads,
    health,
    close: async () => void (await Promise.all(all.map((database) => database.close()))),
  };
}
