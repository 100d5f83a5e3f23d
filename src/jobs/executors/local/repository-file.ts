import type { Owner } from "../../../files/owned.ts";
import { readRegular } from "../../../files/regular-file.ts";
import { PrepareError } from "../../../task/errors.ts";
import { realpathInside } from "./realpath-inside.ts";

/** Largest size of a settings or requirements file, in bytes: such files are written by people. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Reads the text of a file in the repository, through links that stay in it; undefined: there is no such file.
 * @throws PrepareError if the path leads out of the repository; UnusableFileError if it is not a regular file, or too large.
 */
export function readRepositoryFile(work: string, path: string, owner: Owner | undefined): string | undefined {
  const found = realpathInside(work, path);
  if (found.kind === "missing") return undefined;
  if (found.kind === "outside") throw new PrepareError(`Cannot use ${path}: it leads out of the repository`);
  return readRegular(found.path, { maxBytes: MAX_BYTES, owner })?.toString("utf8");
}
