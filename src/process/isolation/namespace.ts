import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { type Identity, isAlive, listPids, readProc, send } from "../proc.ts";

/*
 * The pid namespace of a program that runs isolated. Its first process, the init, has two properties that the marker of a
 * process lacks: no process leaves the namespace, and the kernel kills every process in it when the init is killed. So the
 * init stands for all of the program's processes, whatever they do to their session, parent or environment.
 *
 * The init is known from a report: the fields `child-pid` and `pid-namespace` of the JSON that bubblewrap writes to
 * --info-fd. The program's first process is number 2 of the namespace.
 */

/** The first process of a program's pid namespace. */
export interface Namespace {
  /** Returns the init as this machine sees it; undefined: it has not been reported yet. */
  init(): Identity | undefined;
  /** Returns the program's first process; undefined: it is not started yet, or has ended. */
  program(): Identity | undefined;
}

/** Identity of an init that has ended: no process matches it. */
const ENDED: Identity = { pid: 2 ** 31 - 1, start: Number.MAX_SAFE_INTEGER };

/** Creates a Namespace from its report, which `read` returns; "" while nothing is reported. */
export function createNamespace(read: () => string): Namespace {
  let init: Identity | undefined;
  let program: Identity | undefined;
  const namespace: Namespace = {
    init() {
      init ??= reportedInit(read());
      return init;
    },
    program() {
      const parent = namespace.init();
      program ??= parent && isAlive(parent) ? secondOf(parent) : undefined;
      return program;
    },
  };
  return namespace;
}

/** Returns whether a namespace still has a process; false: it has ended, or was not reported. */
export function isInhabited(namespace: Namespace): boolean {
  const init = namespace.init();
  return init !== undefined && isAlive(init);
}

/** Kills every process of a namespace by one signal, which none of them escapes. */
export function killNamespace(namespace: Namespace): void {
  const init = namespace.init();
  if (init && isAlive(init)) send(init.pid, "SIGKILL");
}

const CHILD = /"child-pid": (\d+)/;
const INODE = /"pid-namespace": (\d+)/;

/** Whether a text is a report from which the init can be known. */
export const isReport = (text: string) => CHILD.test(text) && INODE.test(text);

/**
 * Finds the reported init. A process that has its pid but lives in another namespace is not it: the init has ended then. Nor is a
 * process of the server's own namespace: a report that names one was forged, and root would kill that process.
 */
function reportedInit(report: string): Identity | undefined {
  const pid = Number(CHILD.exec(report)?.[1]);
  const inode = INODE.exec(report)?.[1];
  if (!pid || inode === undefined) return undefined;
  const proc = readProc(pid);
  const found = namespaceOf(pid);
  const isIts = found === `pid:[${inode}]` && found !== namespaceOf("self");
  return proc && isIts ? { pid, start: proc.start } : ENDED;
}

function namespaceOf(pid: number | "self"): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined; // the process has ended
  }
}

function secondOf(init: Identity): Identity | undefined {
  for (const pid of childrenOf(init.pid)) {
    const proc = readProc(pid);
    if (proc && proc.ppid === init.pid && isSecond(pid)) return { pid, start: proc.start };
  }
  return undefined;
}

/** Whether a process has the number 2 in its own pid namespace. */
function isSecond(pid: number): boolean {
  return /^NSpid:.*\t2$/m.test(textOf(`/proc/${pid}/status`));
}

/** Returns the children of a process. Kernels without CONFIG_PROC_CHILDREN have no list, so all processes are read there. */
function childrenOf(pid: number): number[] {
  const list = `/proc/${pid}/task/${pid}/children`;
  if (!existsSync(list)) return listPids().filter((other) => readProc(other)?.ppid === pid);
  return textOf(list).split(" ").map(Number).filter(Boolean);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
