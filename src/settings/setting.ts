/*
 * The room settings/ parses the settings of a server. The table SETTINGS in config.ts lists them, one record of this file for
 * each. A flag overrides its variable. A secret can also be given by a file (source.ts), and leaves the environment at the start
 * (take-secrets.ts). Parsers return a value, or throw an Error whose message completes "SIGNALMAN_X …", so that every refusal
 * names the variable and what is allowed.
 */

/** A setting of the server: its names, its meaning, and its default. */
export interface Setting<T> {
  /** Name of the environment variable. */
  env: string;
  /** Name of the flag; absent for secrets, since every user of the machine can read command lines. */
  flag?: string;
  /** How a secret can be given as a file. The variable of the file is the setting's followed by `_FILE`. */
  file?: { flag: string; credential: string };
  /** Name of the value. Absent for switches, whose variable is `true` or `false`. */
  placeholder?: string;
  description: string;
  /** Default in words, for the help text. `parse(undefined)` returns its value. */
  default: string;
  /** Returns the value of a text; undefined: of the default. @throws Error whose message completes "SIGNALMAN_X …". */
  parse(text: string | undefined): T;
}

export const setting = <T>(definition: Setting<T>) => definition;

/** A form in which a setting can be given, as help texts show it. */
export type Form = { key: string } & Pick<
  Setting<unknown>,
  "env" | "flag" | "placeholder" | "description" | "default"
>;

/** Name of the variable that holds the path of a secret's file. */
export const fileVariable = (env: string): string => `${env}_FILE`;
/** Key of the form in which a secret is given as a file. */
export const fileKey = <K extends string>(key: K): `${K}File` => `${key}File`;

/** Returns the forms of settings: each setting itself, and for a secret also the file that may hold it. */
export function formsOf(settings: Readonly<Record<string, Setting<unknown>>>): Form[] {
  return Object.entries(settings).flatMap(([key, definition]) => [
    { key, ...definition },
    ...(definition.file ? [fileForm(key, definition.env, definition.file)] : []),
  ]);
}

function fileForm(
  key: string,
  env: string,
  { flag, credential }: { flag: string; credential: string },
): Form {
  return {
    key: fileKey(key),
    env: fileVariable(env),
    flag,
    placeholder: "FILE",
    description: `file that holds ${env}, in place of it`,
    default: `systemd's credential ${credential}, if there is one`,
  };
}
