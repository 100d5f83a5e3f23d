import { join } from "node:path";
import { readRegular } from "../files/regular-file.ts";

/**
 * State that a running PostgreSQL writes into `postmaster.pid`. The file of a PostgreSQL that was killed looks the
 * same.
 */
export interface PostmasterFile {
  readonly pid: number;
  readonly socketFolder: string;
  readonly status: "starting" | "ready" | "stopping" | "standby" | "unknown";
}

const STATUSES = ["starting", "ready", "stopping", "standby"] as const;

export function postmasterFilePath(data: string): string {
  return join(data, "postmaster.pid");
}

/**
 * Returns the content of the file; undefined if there is none, or only its beginning so far. Its lines are explained
 * in src/include/utils/pidfile.h of PostgreSQL.
 */
export async function readPostmasterFile(data: string): Promise<PostmasterFile | undefined> {
  const text = String(readRegular(postmasterFilePath(data), { maxBytes: 4096 }) ?? "");
  const [pid, , , , socketFolder = "", , , status = ""] = text.split("\n");
  if (!pid || !/^\d+$/.test(pid)) return undefined;
  return {
    pid: Number(pid),
    socketFolder,
    status: STATUSES.find((known) => known === status.trim()) ?? "unknown",
  };
}
