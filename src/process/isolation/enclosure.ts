import type { Owner } from "../../files/owned.ts";

/** Files that a program in namespaces sees. Everything that is not named here looks as it does on the machine. */
export interface View {
  /** Working directory. */
  cwd: string;
  /** Folder that takes the place of /tmp and /var/tmp. */
  tmp: string;
  /** Files and folders that stay as they are, also inside hidden folders. Those that do not exist are left out. */
  writable: readonly string[];
  /** Files and folders that stay readable, also inside hidden folders. Those that do not exist are left out. */
  readOnly: readonly string[];
}

/**
 * A place in which a program in namespaces sees something else, in the words of bubblewrap: `tmpfs PATH` an empty folder, `bind
 * SOURCE PATH` another file or folder, `ro-bind` that one read-only. With `-try` a source that does not exist is left out.
 */
export type Mount =
  | readonly ["tmpfs", path: string]
  | readonly ["bind" | "bind-try" | "ro-bind" | "ro-bind-try", source: string, path: string];

/** How a program is separated from the service: the words of a command that runs it so. */
export interface Enclosure {
  /**
   * Whether the program gets a pid namespace of its own. The command then writes the namespace's first process to the
   * descriptor `reportTo`, as namespace.ts reads it.
   */
  readonly hasNamespace: boolean;
  /** User as whom the program runs, who gets the pipes of its output: `/dev/stderr` opens them anew. Default: the server's. */
  readonly owner?: Owner | undefined;
  /** Returns the words that are put before the program's command. */
  words(reportTo: number): readonly string[];
}
