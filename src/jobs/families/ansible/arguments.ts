import { pathArgument } from "../path-argument.ts";
import type { AnsibleInput } from "./input.ts";

/** Files that the command line refers to, all but the playbook by absolute path. */
export interface AnsibleFiles {
  /** Playbook, relative to the working directory. */
  playbook: string;
  inventory: string;
  variables: string;
  secretVariables?: string;
  connectionPassword?: string;
  becomePassword?: string;
  /** Password files or scripts of the vaults, in their order. */
  vaults: readonly string[];
}

/** Returns the arguments of `ansible-playbook`, in the order of Semaphore UI. Secrets are only in the files. */
export function ansibleArguments(input: AnsibleInput, files: AnsibleFiles): string[] {
  const { ansible, inventory, vaults } = input;
  const option = (name: string, value: string | undefined) => (value ? [name, value] : []);
  const list = (name: string, values: readonly string[]) =>
    values.length > 0 ? [`${name}=${values.join(",")}`] : [];
  return [
    "-i",
    files.inventory,
    ...option("--user", loginOf(inventory.sshKey)),
    ...option("--connection-password-file", files.connectionPassword),
    ...option("--become-user", loginOf(inventory.becomeKey)),
    ...option("--become-password-file", files.becomePassword),
    ...(ansible.verbosity > 0 ? [`-${"v".repeat(ansible.verbosity)}`] : []),
    ...(ansible.diff ? ["--diff"] : []),
    ...(ansible.check ? ["--check"] : []),
    ...vaults.flatMap(({ name }, at) => ["--vault-id", `${name}@${files.vaults[at]}`]),
    "--extra-vars",
    `@${files.variables}`,
    ...(files.secretVariables ? ["--extra-vars", `@${files.secretVariables}`] : []),
    ...list("--limit", ansible.limit),
    ...list("--tags", ansible.tags),
    ...list("--skip-tags", ansible.skipTags),
    ...input.arguments.template,
    ...input.arguments.task,
    pathArgument(files.playbook),
  ];
}

function loginOf(key: AnsibleInput["inventory"]["sshKey"]): string | undefined {
  return key.kind === "ssh" || key.kind === "login_password" ? key.login : undefined;
}
