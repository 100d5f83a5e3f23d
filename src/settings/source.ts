import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { readRegular } from "../files/regular-file.ts";
import { fileVariable, type Setting } from "./setting.ts";

const MAX_BYTES = 64 * 1024;
const READABLE_BY_OTHERS = 0o004;

/** The text of a setting, and what messages call the place where it was given. */
export interface Source {
  name: string;
  text: string;
  /** The file that holds it. */
  file?: string;
}

type Names = Pick<Setting<unknown>, "env" | "flag" | "file">;
/** Texts of the flags: the value, and the path of a file that holds it. */
export interface GivenFlags {
  value?: string | undefined;
  file?: string | undefined;
}

/**
 * Returns where a setting is given: by its flag or its variable; for a secret also by a file, and if neither is set, by
 * systemd's credential of that name. A flag overrides its variable. undefined: the setting is not given.
 * @throws Error, with a complete message, if both forms are given, or if the file cannot be read
 */
export function sourceOf(names: Names, flags: GivenFlags, env: NodeJS.ProcessEnv): Source | undefined {
  const value = given(names.flag, flags.value, names.env, env);
  if (names.file === undefined) return value;
  const path = given(names.file.flag, flags.file, fileVariable(names.env), env);
  if (value && path)
    throw new Error(`${value.name} and ${path.name} give the same setting: leave one of them out`);
  if (value) return value;
  if (path) return fromFile(path.name, resolve(path.text));
  return fromCredential(names.file.credential, env.CREDENTIALS_DIRECTORY);
}

function given(flag: string | undefined, text: string | undefined, variable: string, env: NodeJS.ProcessEnv) {
  if (text !== undefined) return { name: `--${flag}`, text };
  const fromEnvironment = env[variable];
  return fromEnvironment ? { name: variable, text: fromEnvironment } : undefined;
}

function fromCredential(name: string, folder: string | undefined): Source | undefined {
  const path = folder && join(folder, name);
  return path && existsSync(path) ? fromFile(`the credential ${name}`, path) : undefined;
}

/** Reads a file without the line break at its end. Links are followed, since containers mount secrets as links. */
function fromFile(name: string, file: string): Source {
  const content = read(name, file);
  if (content === undefined) throw new Error(`${name}: there is no file ${file}`);
  const text = content.toString("utf8").replace(/\r?\n$/, "");
  if (text === "") throw new Error(`${name}: the file ${file} is empty`);
  return { name: `${name} (${file})`, text, file };
}

function read(name: string, file: string): Buffer | undefined {
  try {
    return readRegular(file, { maxBytes: MAX_BYTES, links: "followed" });
  } catch (cause) {
    throw new Error(`${name}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/** Returns the files that every user of the machine may read. */
export function openToAll(files: readonly string[]): string[] {
  return files.filter(
    (file) => ((statSync(file, { throwIfNoEntry: false })?.mode ?? 0) & READABLE_BY_OTHERS) !== 0,
  );
}
