import { join } from "node:path";
import type { App, BaseEnvironment } from "../../apps/app.ts";
import { typeEnvironment } from "../task-details.ts";
import type { SearchPaths } from "./config.ts";
import type { AnsibleInput } from "./input.ts";

/** Folders and programs that Signalman makes for Ansible, by absolute path. */
export interface AnsiblePlaces {
  /** Folder of Signalman's callback plugins. */
  callback: string;
  /** Folders of the roles and collections from Galaxy; undefined: the repository requires none. */
  galaxy: { roles: string; collections: string } | undefined;
  /** Folder for control sockets of ssh, with a path short enough for a socket address. */
  sockets: string;
  /** Programs that Ansible calls for ssh, sftp and scp. */
  ssh: { ssh: string; sftp: string; scp: string };
  /** Socket of the SSH agent that holds the inventory's key; undefined: the inventory has no SSH key. */
  agent: string | undefined;
}

/** Variables that users may override. */
const DEFAULTS = {
  PYTHONUNBUFFERED: "1",
  ANSIBLE_HOST_KEY_CHECKING: "True",
  // Without it, a play whose inventory cannot be parsed runs on no host and succeeds.
  ANSIBLE_INVENTORY_UNPARSED_FAILED: "True",
};

/** Returns the environment of both ansible-galaxy and ansible-playbook. */
export function galaxyEnvironment(
  app: App,
  input: Pick<AnsibleInput, "env">,
  base: BaseEnvironment,
): Record<string, string> {
  return { ...base, ...DEFAULTS, ANSIBLE_HOME: join(base.HOME, ".ansible"), ...app.env, ...input.env };
}

/** Returns the whole environment of `ansible-playbook`. It holds no secrets but those of the environment's `secret_env`. */
export function playbookEnvironment(
  common: Record<string, string>,
  input: AnsibleInput,
  paths: SearchPaths,
  places: AnsiblePlaces,
): Record<string, string> {
  const { galaxy, agent, callback, sockets, ssh } = places;
  return {
    ANSIBLE_SSH_EXECUTABLE: ssh.ssh,
    ANSIBLE_SFTP_EXECUTABLE: ssh.sftp,
    ANSIBLE_SCP_EXECUTABLE: ssh.scp,
    ANSIBLE_SSH_CONTROL_PATH_DIR: sockets,
    ...common,
    ANSIBLE_CALLBACK_PLUGINS: `${callback}:${paths.callbackPlugins}`,
    ...(galaxy && {
      ANSIBLE_ROLES_PATH: `${galaxy.roles}:${paths.roles}`,
      ANSIBLE_COLLECTIONS_PATH: `${galaxy.collections}:${paths.collections}`,
      // ansible-core before 2.16 prefers this name.
      ANSIBLE_COLLECTIONS_PATHS: `${galaxy.collections}:${paths.collections}`,
    }),
    ...(agent && { SSH_AUTH_SOCK: agent }),
    ...typeEnvironment(input),
  };
}
