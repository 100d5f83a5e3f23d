import { readLeader } from "./journal.ts";
import type { Launched } from "./launcher.ts";
import type { Identity } from "./proc.ts";
import type { Birth } from "./scan.ts";
import type { TaskProcesses } from "./task-processes.ts";

/** One run as its parts here share it: who belongs to it, where it is written down, who watches. */
export interface ProcessRun extends TaskProcesses {
  folder: string;
  /** Lower bound for scans; `undefined` after adoption, when forks were not counted. */
  birth: Birth | undefined;
  /** The wrapper as our launcher's child; `undefined` after adoption. */
  child: Launched | undefined;
  /** Aborts on release: every wait below rejects, nothing is touched any more. */
  released: AbortSignal;
}

export function describeRun(
  folder: string,
  marker: string,
  wrapper: Identity,
  rest: Pick<ProcessRun, "birth" | "child" | "released">,
): ProcessRun {
  let leader: Identity | undefined;
  const readOnce = () => {
    leader ??= readLeader(folder);
    return leader;
  };
  return { folder, marker, wrapper, leader: readOnce, noted: new Map(), ...rest };
}
