import { runCommand } from "../../../process/command.ts";
import { asUser, type TaskUser } from "../../../process/task-user.ts";
import { PrepareError } from "../../../task/errors.ts";

/**
 * Copies what copy-folder.ts copies, with the same modes and times: everything in the folder $1 but pipes and sockets into the
 * folder $2, whose own mode stays.
 */
const COPY = `
cd -- "$1" || exit
find . -mindepth 1 -maxdepth 1 ! -type p ! -type s -exec cp -RPp -t "$2" -- {} + || exit
find "$2" -mindepth 1 '(' -type p -o -type s ')' -delete
`;

/** The task for whose workspace a folder is copied. */
export interface CopyFor {
  user: TaskUser;
  /** Marker of the task. */
  marker: string;
  path: string;
}

/**
 * Copies a folder of this machine into the existing folder `target` as a user, who may read less than this server.
 * @throws PrepareError with the reason; the signal's reason.
 */
export async function copyAsUser(
  { user, marker, path }: CopyFor,
  source: string,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  const { exit, stderr } = await runCommand({
    command: "/bin/sh",
    args: ["-c", COPY, "copy", source, target],
    cwd: "/",
    env: { PATH: path, LC_ALL: "C" },
    marker,
    signal,
    leftovers: "spared",
    enclosure: asUser(user),
  });
  if (exit.kind === "code" && exit.code === 0) return;
  const reason = stderr.trim().split("\n")[0] ?? "";
  throw new PrepareError(
    `Cannot copy ${source} into the task's workspace as the user ${user.name}, who must be able to read it: ${reason}`,
  );
}
