import { randomBytes } from "node:crypto";
import { appendRegular, readRegular, UnusableFileError } from "../files/regular-file.ts";
import { bootId, type Identity, identityFromStat } from "./proc.ts";
import { journalPath } from "./spool.ts";

/**
 * The journal of a run, `run` in its folder: lines, each appended by one write, so that order decides.
 *
 *     attempt <id> <marker> <boot>   the server, before the spawn
 *     started <id>                   the wrapper's first act; it goes on only if no `abandoned` precedes
 *     abandoned <id>                 a later server, which found no start: from now on there will be none
 *     wrapper <stat line>            the wrapper, from /proc
 *     leader <stat line>             the task's first process, just before its exec
 *     interrupted                    a server, just before SIGINT: a second one would mean something else
 *     exit <$?>                      0–255
 *     unwritten <out or err>         a pump that could not write on: the disk was full, and output is missing
 *
 * It stays within its first block on disk, so a disk that fills up meanwhile loses no exit.
 */
export interface Attempt {
  id: string;
  marker: string;
  /** The kernel's boot id: pids of another boot mean nothing. `-` where the system has none. */
  boot: string;
}

/** Rejects markers that would not survive a line of words. */
export function createAttempt(marker: string): Attempt {
  if (!/^[\w.-]{1,128}$/.test(marker)) {
    throw new Error(
      `Cannot start a process with the marker ${JSON.stringify(marker)}: letters, digits, _ . - only`,
    );
  }
  return { id: randomBytes(8).toString("hex"), marker, boot: bootId() };
}

export function attemptLine({ id, marker, boot }: Attempt): string {
  return `attempt ${id} ${marker} ${boot}\n`;
}

/**
 * `undefined`: the folder was never prepared. `torn`: it was, but the line did not survive a crash of the machine, or the
 * task put something else in the journal's place.
 */
export function readAttempt(folder: string): Attempt | "torn" | undefined {
  const text = read(folder);
  if (text === undefined) return undefined;
  const [, id, marker, boot] = /^attempt (\S+) (\S+) (\S+)\n/.exec(text) ?? [];
  return id && marker && boot ? { id, marker, boot } : "torn";
}

/**
 * Settles for good whether an attempt has started. True: it did not and never will, since a wrapper that comes late
 * finds the line before its own and gives up.
 */
export function abandon(folder: string, { id }: Attempt): boolean {
  const isFirst = () => /^(started|abandoned) /m.exec(linesOf(read(folder) ?? "", id))?.[1];
  if (isFirst() === undefined) appendRegular(journalPath(folder), `abandoned ${id}\n`);
  return isFirst() === "abandoned";
}

function linesOf(text: string, id: string): string {
  return text
    .split("\n")
    .filter((line) => line.endsWith(` ${id}`))
    .join("\n");
}

export function readWrapper(folder: string): Identity | undefined {
  return identityFromStat(lineOf(folder, "wrapper") ?? "");
}

/** The task's first process, leader of its session and group; `undefined` before its exec. */
export function readLeader(folder: string): Identity | undefined {
  return identityFromStat(lineOf(folder, "leader") ?? "");
}

/** The recorded `$?` (0–255), `undefined` as long as there is none. */
export function readStatus(folder: string): number | undefined {
  const status = lineOf(folder, "exit");
  return status === undefined ? undefined : Number(status);
}

/** Whether output is missing because it could not be written. To be asked when all has ended. */
export function isOutputMissing(folder: string): boolean {
  return lineOf(folder, "unwritten") !== undefined;
}

/**
 * Whether SIGINT may be sent, which is so once in a run. Also if a task has made its journal unusable: the server asks
 * once, and no later one adopts such a task.
 */
export function noteInterrupt(folder: string): boolean {
  if (/^interrupted\n/m.test(read(folder) ?? "")) return false;
  try {
    appendRegular(journalPath(folder), "interrupted\n");
  } catch (error) {
    if (!(error instanceof UnusableFileError)) throw error;
  }
  return true;
}

function lineOf(folder: string, kind: "wrapper" | "leader" | "exit" | "unwritten"): string | undefined {
  return new RegExp(`^${kind} (.+)\n`, "m").exec(read(folder) ?? "")?.[1];
}

/** `undefined`: no journal. Empty: the task has put something in its place, or made it larger than any journal is. */
function read(folder: string): string | undefined {
  try {
    return readRegular(journalPath(folder), { maxBytes: MAX_BYTES })?.toString("utf8");
  } catch (error) {
    if (error instanceof UnusableFileError) return "";
    throw error;
  }
}

const MAX_BYTES = 64 * 1024;
