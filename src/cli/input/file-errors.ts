/** What the codes of the system mean for a file that somebody named. */
const MEANING: Record<string, string> = {
  EISDIR: "it is a folder",
  EACCES: "this user may not",
  EPERM: "this user may not",
  EROFS: "it is on a disk that cannot be written to",
  ENOSPC: "the disk is full",
};

/** Why a file could not be read or written, in words. `missing`: what must be there for that. */
export function fileTrouble(error: unknown, missing: "file" | "folder" = "file"): string {
  const { code = "", message = String(error) } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ENOTDIR") return `there is no such ${missing}`;
  return MEANING[code] ?? message;
}
