/** A setting of the server: its names, its meaning, and its default. */
export interface Setting<T> {
  /** Name of the environment variable. */
  env: string;
  /** Name of the flag; absent for secrets, since every user of the machine can read command lines. */
  flag?: string;
  /** Name of the value. Absent for switches, whose variable is `true` or `false`. */
  placeholder?: string;
  description: string;
  /** Default in words, for the help text. `parse(undefined)` returns its value. */
  default: string;
  /** Returns the value of a text; undefined: of the default. @throws Error whose message completes "SIGNALMAN_X …". */
  parse(text: string | undefined): T;
}

export const setting = <T>(definition: Setting<T>) => definition;
