import { type Database, openDatabase } from "./database.ts";

/** Separate pools of connections, so that neither many log chunks nor many readers delay the renewal of leases. */
export interface Databases {
  /** Leases, status changes and new tasks: short and urgent statements. */
  control: Database;
  /** Writes of log chunks. */
  logs: Database;
  /** Reads of callers. */
  reads: Database;
  /** Health checks, which must not queue behind other work. */
  health: Database;
  close(): Promise<void>;
}

/** Time limits of a call in milliseconds, by pool. */
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
