/** Files that a program in namespaces sees. Everything that is not named here looks as it does on the machine. */
export interface View {
  /** Working directory. */
  cwd: string;
  /** Folder that takes the place of /tmp and /var/tmp. */
  tmp: string;
  /** Existing folders that appear empty. */
  hidden: readonly string[];
  /** Files and folders that stay as they are, also inside hidden folders. Those that do not exist are left out. */
  writable: readonly string[];
  /** Files and folders that stay readable, also inside hidden folders. Those that do not exist are left out. */
  readOnly: readonly string[];
}

/** How a program is separated from the service: the words of a command that runs it so. */
export interface Enclosure {
  /**
   * Whether the program gets a pid namespace of its own. The command then writes the namespace's first process to the
   * descriptor `reportTo`, as namespace.ts reads it.
   */
  readonly hasNamespace: boolean;
  /** Returns the words that are put before the program's command. */
  words(reportTo: number): readonly string[];
}
