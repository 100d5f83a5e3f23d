/** What the codes of the system mean for a file that somebody named. */
const MEANING: Record<string, string> = {
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
  EISDIR: "it is a folder",
  EACCES: "this user may not",
  EPERM: "this user may not",
  EROFS: "it is on a disk that cannot be written to",
  ENOSPC: "the disk is full",
};

/** Why a file could not be read or written, in words. */
export function fileTrouble(error: unknown): string {
  const { code = "", message = String(error) } = error as NodeJS.ErrnoException;
  return MEANING[code] ?? message;
}
