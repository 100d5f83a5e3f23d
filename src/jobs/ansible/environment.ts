import { join } from "node:path";
import type { App, BaseEnvironment } from "../app.ts";
import { typeEnvironment } from "../task-details.ts";
import type { SearchPaths } from "./config.ts";
import type { AnsibleInput } from "./input.ts";

/** Places of ours that Ansible is told of. */
export interface AnsiblePlaces {
  /** Folder of our callback plugin. */
  callback: string;
  /** Folders of what Galaxy brought. */
  galaxy: { roles: string; collections: string } | undefined;
  /** Folder of sockets with short addresses. */
  sockets: string;
  /** The programs that Ansible calls for ssh, sftp and scp. */
  ssh: { ssh: string; sftp: string; scp: string };
  /** Of the agent that holds the inventory's key. */
  agent: string | undefined;
}

/** Under everything that users set. */
const DEFAULTS = {
  PYTHONUNBUFFERED: "1",
  ANSIBLE_HOST_KEY_CHECKING: "True",
  // Else a play on no host would be a success.
  ANSIBLE_INVENTORY_UNPARSED_FAILED: "True",
};

/** The environment of Ansible's programs, without what only a playbook gets. */
export function galaxyEnvironment(
  app: App,
  input: Pick<AnsibleInput, "env">,
  base: BaseEnvironment,
): Record<string, string> {
  return { ...base, ...DEFAULTS, ANSIBLE_HOME: join(base.HOME, ".ansible"), ...app.env, ...input.env };
}

/** The whole environment of `ansible-playbook`. No secret is in it but those that the environment's `secret_env` puts there. */
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
      // The name that ansible-core before 2.16 knows first.
      ANSIBLE_COLLECTIONS_PATHS: `${galaxy.collections}:${paths.collections}`,
    }),
    ...(agent && { SSH_AUTH_SOCK: agent }),
    ...typeEnvironment(input),
  };
}
