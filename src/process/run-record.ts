import { createNamespace } from "./isolation/namespace.ts";
import { hasNamespace, readLeader, readNamespace } from "./journal.ts";
import type { Launched } from "./launcher.ts";
import type { Identity } from "./proc.ts";
import type { Birth } from "./scan.ts";
import type { TaskProcesses } from "./task-processes.ts";

/**
 * One run of a program, shared by the files of this room: its processes, its folder, and whether it is still
 * supervised.
 */
export interface ProcessRun extends TaskProcesses {
  folder: string;
  /** Lower bound for scans; undefined after adoption, since the forks before its start were not counted. */
  birth: Birth | undefined;
  /** The wrapper as a child of this server's launcher; undefined after adoption. */
  child: Launched | undefined;
  /** Aborts on release: every wait rejects, and the program is no longer touched. */
  released: AbortSignal;
}

export function describeRun(
  folder: string,
  marker: string,
  wrapper: Identity,
  rest: Pick<ProcessRun, "birth" | "child" | "released">,
): ProcessRun {
  const namespace = hasNamespace(folder) ? createNamespace(() => readNamespace(folder)) : undefined;
  let leader: Identity | undefined;
  const readOnce = () => {
    leader ??= namespace ? namespace.program() : readLeader(folder);
    return leader;
  };
  return { folder, marker, wrapper, leader: readOnce, namespace, noted: new Map(), ...rest };
}
