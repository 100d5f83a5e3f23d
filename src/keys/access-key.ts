/*
 * The room keys/ keeps the secrets of the catalog and lets tasks log in with them.
 *
 * At rest, secrets are encrypted by cipher.ts under the server's secret keys (secret-key.ts), each bound to a context
 * below. key-check.ts refuses to start a server whose keys are not those of its database, and rotation.ts encrypts all
 * secrets under a new key.
 *
 * For a task, installer.ts turns its decrypted access keys into what programs can use: an ssh-agent that holds an SSH
 * key (agent.ts), private files, and askpass programs. Secrets are never in a command line or an environment. They are
 * in the task's private folder (key-folder.ts, mode 0700) and go with it when the task ends, also after a crash of the
 * server.
 */

/** The decrypted content of an access key. */
export type KeyMaterial =
  | { kind: "none" }
  | { kind: "ssh"; login: string; privateKey: string; passphrase: string }
  | { kind: "login_password"; login: string; password: string }
  | { kind: "text"; value: string };

/** A decrypted access key with its full resource name; empty for the key of kind `none`. */
export type AccessKey = KeyMaterial & { name: string };

/** The JSON object that is encrypted as an environment's secrets. */
export interface EnvironmentSecrets {
  variables: Record<string, string>;
  env: Record<string, string>;
}

/**
 * Contexts of the cipher: a sealed secret opens only with the context it was sealed for. Arguments are last parts of
 * names.
 */
export const accessKeyContext = (project: string, name: string) => `accessKeys/${project}/${name}`;
export const environmentContext = (project: string, name: string) => `environments/${project}/${name}`;
export const runContext = (taskId: string) => `run ${taskId}`;
export const taskContext = (project: string, template: string) => `task ${project}/${template}`;
