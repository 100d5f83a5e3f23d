import { spawnSync } from "node:child_process";
import { PrepareError } from "../task/errors.ts";
import { taskVariable } from "./scan.ts";

/*
 * Carries a program's environment unchanged through the shell that starts it (wrapper.sh). A shell does not pass on
 * the environment that it is given: OPTIND=abc ends dash, PPID and UID are overwritten, IFS and PS4 change its
 * behaviour, and names that are not identifiers are dropped. The program's environment is therefore passed as values
 * of variables without a meaning to the shell (e0, e1, …), and env(1) restores it in the program's own process. The
 * option -S of env takes the values from its environment, so that none of them is ever part of a command line.
 */

/** An environment, and optionally a command line, encoded as variables of a shell. */
export interface Carried {
  /** Environment of the shell. */
  variables: Readonly<Record<string, string>>;
  /**
   * Words of the command that decodes the variables. It keeps the task's marker and runs the carried command; if
   * there is none, the command in the words that follow.
   */
  restore: readonly string[];
}

/**
 * Encodes an environment and a command line for a shell.
 * @throws PrepareError if a value holds a NUL byte, or if this machine's env(1) lacks the option -S
 */
export function carry(env: Readonly<Record<string, string>>, command: readonly string[] = []): Carried {
  const pairs = Object.entries(env).filter(([name]) => name !== taskVariable);
  for (const [name, value] of pairs) assertNoNul(`the variable ${name}`, `${name}${value}`);
  command.forEach((word, at) => void assertNoNul(at === 0 ? "the command" : `argument ${at}`, word));
  const named = [
    ...pairs.map(([name, value], at) => [`e${at}`, `${name}=${value}`] as const),
    ...command.map((word, at) => [`c${at}`, word] as const),
  ];
  const marker = `${taskVariable}=\${${taskVariable}}`;
  // env(1) would take a command with a = in its name for a variable, so nice(1) runs it.
  const runner = command[0]?.includes("=") ? ["/usr/bin/nice", "-n", "0"] : [];
  const words = [
    "-i",
    "--",
    marker,
    ...named.slice(0, pairs.length).map(([name]) => expand(name)),
    ...runner,
    ...named.slice(pairs.length).map(([name]) => expand(name)),
  ];
  return { variables: Object.fromEntries(named), restore: [...restorer(), words.join(" ")] };
}

/** Returns a word of `env -S` that expands to a variable's value, whatever characters it holds. */
const expand = (name: string) => `"\${${name}}"`;

function assertNoNul(what: string, text: string): void {
  if (text.includes("\0"))
    throw new PrepareError(`${what} holds a NUL byte, which the system cannot pass to a program; remove it`);
}

/**
 * Command that decodes variables. Found once, since a search starts a program. GNU coreutils 8.30 and newer, uutils
 * and FreeBSD have `env -S`; BusyBox lacks it.
 */
let found: readonly string[] | undefined;

function restorer(): readonly string[] {
  found ??= findRestorer();
  return found;
}

function findRestorer(): readonly string[] {
  const words = ["/usr/bin/env", "-S"] as const;
  const [path, option] = words;
  const odd = 'a.b-c=$x "\\';
  const { stdout } = spawnSync(path, [option, `-i -- ${expand("e0")} /usr/bin/env`], {
    env: { e0: odd },
    encoding: "utf8",
  });
  if (stdout === `${odd}\n`) return words;
  throw new PrepareError(
    `${path} has no option -S that takes values from variables; install GNU coreutils 8.30 or newer (Alpine: apk add coreutils)`,
  );
}
