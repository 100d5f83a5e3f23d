import { randomBytes } from "node:crypto";
import { appendRegular, readRegular, UnusableFileError } from "../files/regular-file.ts";
import { bootId, type Identity, identityFromStat } from "./proc.ts";
import { journalPath } from "./spool.ts";

/*
 * The journal of a run: the file `run` in its folder. Each line is appended by one write, and the order of lines decides.
 *
 *     attempt <id> <marker> <boot>   written by the server before it starts the wrapper
 *     started <id>                   first act of the wrapper, which gives up if `abandoned` precedes this line
 *     abandoned <id>                 written by a later server that found no start, so that none can follow
 *     wrapper <stat line>            the wrapper's identity, from /proc
 *     leader <stat line>             identity of the task's first process, just before its exec; not for isolated programs
 *     isolated                       written by the server after `attempt`: the program runs in namespaces
 *     {"child-pid": …}               several lines of JSON: the first process of these namespaces (isolation/namespace.ts)
 *     interrupted                    written by a server before SIGINT, since a second SIGINT has another meaning
 *     exit <$?>                      exit of the task's first process, 0 to 255
 *     unwritten <out or err>         written if a pump failed: the disk was full, and output is missing
 *
 * The journal stays within its first block on disk, so that the exit can be recorded on a disk that has filled up.
 */

/** One attempt to start a program. */
export interface Attempt {
  id: string;
  marker: string;
  /** The kernel's boot id, since pids of another boot mean nothing. `-` where the system has none. */
  boot: string;
}

/**
 * Creates an attempt with a random id.
 * @throws Error if the marker does not fit into a line of words
 */
export function createAttempt(marker: string): Attempt {
  if (!/^[\w.-]{1,128}$/.test(marker)) {
    throw new Error(
      `Cannot start a process with the marker ${JSON.stringify(marker)}: it must have 1 to 128 letters, digits, "_", "." or "-"`,
    );
  }
  return { id: randomBytes(8).toString("hex"), marker, boot: bootId() };
}

/** Returns the first lines of the journal. */
export function attemptLines({ id, marker, boot }: Attempt, isIsolated: boolean): string {
  return `attempt ${id} ${marker} ${boot}\n${isIsolated ? "isolated\n" : ""}`;
}

/**
 * Returns the attempt that the journal records. undefined: the folder was never prepared. `torn`: the journal lacks
 * its first line, since a crash of the machine lost it or the task replaced the journal.
 */
export function readAttempt(folder: string): Attempt | "torn" | undefined {
  const text = read(folder);
  if (text === undefined) return undefined;
  const [, id, marker, boot] = /^attempt (\S+) (\S+) (\S+)\n/.exec(text) ?? [];
  return id && marker && boot ? { id, marker, boot } : "torn";
}

/**
 * Decides once and for all whether an attempt has started. Returns true if it has not; it never will then, since a
 * wrapper that comes late finds `abandoned` before its own line and gives up.
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

/** Returns the task's first process, leader of its session and process group; undefined before its exec. */
export function readLeader(folder: string): Identity | undefined {
  return identityFromStat(lineOf(folder, "leader") ?? "");
}

/** Returns whether the program runs in namespaces. Those of another boot have ended with it. */
export function hasNamespace(folder: string): boolean {
  const attempt = readAttempt(folder);
  const isOfThisBoot = typeof attempt === "object" && attempt.boot === bootId();
  return isOfThisBoot && /^isolated\n/m.test(read(folder) ?? "");
}

/** Returns a text with the report of the program's namespaces, once that is complete; else "". */
export function readNamespace(folder: string): string {
  return /^\{$[^}]*^\}$/m.exec(read(folder) ?? "")?.[0] ?? "";
}

/** Returns the recorded `$?` (0 to 255); undefined if none is recorded yet. */
export function readStatus(folder: string): number | undefined {
  const status = lineOf(folder, "exit");
  return status === undefined ? undefined : Number(status);
}

/** Returns whether output is missing because a pump could not write it. Valid once both pumps have ended. */
export function isOutputMissing(folder: string): boolean {
  return lineOf(folder, "unwritten") !== undefined;
}

/**
 * Records that SIGINT is about to be sent. Returns false if the run has recorded that before, so that it gets SIGINT
 * once. Returns true if the task has made its journal unusable: this server sends it once by itself, and no later
 * server adopts such a task.
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

/**
 * Returns the journal's text. undefined: there is no journal. Empty: the task has replaced it, or made it larger than
 * MAX_BYTES.
 */
function read(folder: string): string | undefined {
  try {
    return readRegular(journalPath(folder), { maxBytes: MAX_BYTES })?.toString("utf8");
  } catch (error) {
    if (error instanceof UnusableFileError) return "";
    throw error;
  }
}

const MAX_BYTES = 64 * 1024;
