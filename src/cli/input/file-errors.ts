/** Reasons in words for the error codes of reading or writing a file. */
const MEANING: Record<string, string> = {
  EISDIR: "it is a folder",
  EACCES: "this user has no permission",
  EPERM: "this user has no permission",
  EROFS: "its file system is read-only",
  ENOSPC: "the disk is full",
};

/** Returns why a file could not be read or written. `missing`: kind of the path that ENOENT means. */
export function fileTrouble(error: unknown, missing: "file" | "folder" = "file"): string {
  const { code = "", message = String(error) } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ENOTDIR") return `there is no such ${missing}`;
  return MEANING[code] ?? message;
}
