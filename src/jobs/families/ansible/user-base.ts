import { homedir } from "node:os";
import { dirname, join } from "node:path";

/**
 * Returns PYTHONUSERBASE for a program that `pip install --user` has installed. Without it Python looks for the program's
 * packages below HOME, which is the task's own folder.
 */
export function userBase(program: string): Readonly<Record<string, string>> {
  const base = join(homedir(), ".local");
  return dirname(program) === join(base, "bin") ? { PYTHONUSERBASE: base } : {};
}
