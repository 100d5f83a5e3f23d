import { spawnSync } from "node:child_process";
import { PrepareError } from "../task/errors.ts";
import { taskVariable } from "./scan.ts";

/*
 * A shell does not hand on the environment that it is given: OPTIND=abc ends dash, PPID and UID are its own, IFS and PS4
 * change what it does, and names that are no identifiers are dropped. Where a shell of the server's stands above a program,
 * the program's environment therefore passes through the shell as values of variables that mean nothing to it, e0, e1, …,
 * and env(1) restores it in the program's own process. Its `-S` takes the values from its environment, so none of them is
 * ever in a command line.
 */

/** An environment, and perhaps a command line, in variables of a shell. */
export interface Carried {
  /** What the shell gets. */
  variables: Readonly<Record<string, string>>;
  /**
   * Words of the command that turns the variables into what they stand for. It keeps the task's marker, and runs the
   * carried command, or the one in the words behind it.
   */
  restore: readonly string[];
}

/**
 * @throws PrepareError that names the variable, if something holds a NUL, or if the machine has no such env(1)
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
  // To env(1) a command with a = in it would be one more variable.
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

/** A word of `-S` that is replaced by a variable's value, whatever that holds. */
const expand = (name: string) => `"\${${name}}"`;

function assertNoNul(what: string, text: string): void {
  if (text.includes("\0")) throw new PrepareError(`${what} holds a NUL byte, which no program can be given`);
}

/** GNU coreutils 8.30 and newer, uutils and FreeBSD have `-S`; BusyBox has not. Looked for once: it costs a program. */
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
