import { readRegular } from "../../files/regular-file.ts";
import { PrepareError } from "../../task/errors.ts";
import { realpathInside } from "./realpath-inside.ts";

/** Settings and requirements are text that people write. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * The text of a file of the repository, through links that stay in it; `undefined`: there is no such file.
 * @throws PrepareError if it leads out of the repository; UnusableFileError
 */
export function readRepositoryFile(work: string, path: string): string | undefined {
  const found = realpathInside(work, path);
  if (found.kind === "missing") return undefined;
  if (found.kind === "outside") throw new PrepareError(`Cannot use ${path}: it leads out of the repository`);
  return readRegular(found.path, { maxBytes: MAX_BYTES })?.toString("utf8");
}
