import type { Mirrors } from "../../../git/mirrors.ts";
import type { SshSettings } from "../../../git/ssh-options.ts";
import type { Isolation } from "../../../process/isolation/isolation.ts";
import type { TaskUser } from "../../../process/task-user.ts";

/** Folders and settings that the tasks of one user share on this machine. Tasks of other users can neither read nor change them. */
export interface Shared {
  /** User as whom the tasks run; undefined: the server's. */
  user?: TaskUser | undefined;
  isolation: Isolation;
  mirrors: Mirrors;
  /** Folder that caches roles and collections from Ansible Galaxy. */
  galaxyCache: string;
  /** SSH settings for git and Ansible. */
  ssh: SshSettings;
}
