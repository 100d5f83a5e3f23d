import { join } from "node:path";
import { readRegular } from "../files/regular-file.ts";

/** What a running PostgreSQL says about itself in `postmaster.pid`. A file left by a dead one looks the same. */
export interface PostmasterFile {
  readonly pid: number;
  readonly socketFolder: string;
  readonly status: "starting" | "ready" | "stopping" | "standby" | "unknown";
}

const STATUSES = ["starting", "ready", "stopping", "standby"] as const;

export function postmasterFilePath(data: string): string {
  return join(data, "postmaster.pid");
}

/** Undefined if there is none, or only its beginning so far. Lines: src/include/utils/pidfile.h of PostgreSQL. */
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
