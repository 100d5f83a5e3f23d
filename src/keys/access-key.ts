/** The decrypted content of an access key. */
export type KeyMaterial =
  | { kind: "none" }
  | { kind: "ssh"; login: string; privateKey: string; passphrase: string }
  | { kind: "login_password"; login: string; password: string }
  | { kind: "text"; value: string };

/** A decrypted access key with its full resource name; empty for the key of kind `none`. */
export type AccessKey = KeyMaterial & { name: string };

/** The JSON object that is encrypted as an access key's secrets; logins are in its spec. An empty passphrase: none. */
export type KeySecrets =
  | { privateKey: string; passphrase: string }
  | { password: string }
  | { value: string };

/** The JSON object that is encrypted as an environment's secrets. */
export interface EnvironmentSecrets {
  variables: Record<string, string>;
  env: Record<string, string>;
}

/** Contexts of the cipher: a sealed secret opens only with the context it was sealed for. Arguments are last parts of names. */
export const accessKeyContext = (project: string, name: string) => `accessKeys/${project}/${name}`;
export const environmentContext = (project: string, name: string) => `environments/${project}/${name}`;
export const runContext = (taskId: string) => `run ${taskId}`;
export const taskContext = (project: string, template: string) => `task ${project}/${template}`;
