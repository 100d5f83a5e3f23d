/** A program that runs a template's path, with the arguments that precede the path. */
export interface App {
  command: string;
  /** Fallback program if `command` is not found. */
  otherwise?: string;
  args: readonly string[];
  /** Environment variables of the app; variables that users set override them. */
  env?: Readonly<Record<string, string>>;
}

/** Apps by the name that templates use. */
export type Apps = Readonly<Record<string, App>>;

/** Environment variables that every task gets; those that users set override them, PATH and HOME included. */
export interface BaseEnvironment extends Readonly<Record<string, string>> {
  PATH: string;
  HOME: string;
  TMPDIR: string;
  LANG: string;
}
