import { homedir } from "node:os";
import { dirname, join } from "node:path";

/**
 * Where Python finds the packages of a program that `pip install --user` has installed: it looks below HOME, which is each
 * task's own.
 */
export function userBase(program: string): Readonly<Record<string, string>> {
  const base = join(homedir(), ".local");
  return dirname(program) === join(base, "bin") ? { PYTHONUSERBASE: base } : {};
}
