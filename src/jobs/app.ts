/** A program that runs a template's path: what to start, and what comes before the path. */
export interface App {
  command: string;
  /** The program where `command` is not to be found. */
  otherwise?: string;
  args: readonly string[];
  /** Its own settings, under everything that users set. */
  env?: Readonly<Record<string, string>>;
}

/** By the name that templates use. */
export type Apps = Readonly<Record<string, App>>;

/** What every task gets, whatever users set; they may set PATH, HOME and the like anew. */
export interface BaseEnvironment extends Readonly<Record<string, string>> {
  PATH: string;
  HOME: string;
  TMPDIR: string;
  LANG: string;
}
