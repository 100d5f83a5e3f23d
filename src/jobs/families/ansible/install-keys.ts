import { access, constants } from "node:fs/promises";
import type { AccessKey } from "../../../keys/access-key.ts";
import type { AccessKeyInstaller } from "../../../keys/installer.ts";
import { PrepareError } from "../../../task/errors.ts";
import { realpathInside } from "../../executors/local/realpath-inside.ts";
import type { AnsibleFiles } from "./arguments.ts";
import type { AnsibleInput, AnsibleVault } from "./input.ts";

export interface InstalledKeys
  extends Pick<AnsibleFiles, "connectionPassword" | "becomePassword" | "vaults"> {
  /** Socket of the agent that holds the inventory's SSH key. */
  agent?: string;
}

/**
 * Makes the keys of inventory and vaults usable for as long as the task runs.
 * @throws PrepareError if a key is of the wrong type or cannot be used; the signal's reason.
 */
export async function installKeys(
  keys: AccessKeyInstaller,
  { inventory, vaults, repository }: AnsibleInput,
  work: string,
  signal: AbortSignal,
): Promise<InstalledKeys> {
  const { sshKey, becomeKey } = inventory;
  const password = async (name: string, secret: string) => (await keys.file(name, `${secret}\n`)).path;
  const installed: InstalledKeys = {
    vaults: await Promise.all(
      vaults.map((vault, at) =>
        "script" in vault
          ? vaultScript(vault, work, repository.name)
          : password(`vault-${at}`, vaultPassword(vault)),
      ),
    ),
  };
  if (sshKey.kind === "login_password")
    installed.connectionPassword = await password("connection-password", sshKey.password);
  else if (sshKey.kind !== "none") installed.agent = (await keys.agent("hosts", sshKey, signal)).socket;
  if (becomeKey.kind === "login_password")
    installed.becomePassword = await password("become-password", becomeKey.password);
  else if (becomeKey.kind !== "none") throw wrongKind("become another user", becomeKey, "login_password");
  return installed;
}

function vaultPassword(vault: AnsibleVault & { key: AccessKey }): string {
  const { name, key } = vault;
  if (key.kind === "login_password") return key.password;
  if (key.kind === "text") return key.value;
  throw wrongKind(`open the vault ${name}`, key, "text or login_password");
}

async function vaultScript(
  { script }: { script: string },
  work: string,
  repository: string,
): Promise<string> {
  const failed = (reason: string, cause?: unknown) =>
    new PrepareError(`Cannot open a vault with the script ${script}: ${reason}`, { cause });
  const found = realpathInside(work, script);
  if (found.kind === "missing") throw failed(`there is no such file in ${repository}`, found.cause);
  if (found.kind === "outside") throw failed(`it leads out of ${repository}`);
  await access(found.path, constants.X_OK).catch((cause: unknown) => {
    throw failed(
      "it is not executable, and Ansible would use its text as the password; make it executable",
      cause,
    );
  });
  return found.path;
}

function wrongKind(what: string, key: AccessKey, wanted: string): PrepareError {
  return new PrepareError(`Cannot ${what} with ${key.name}: it is of type ${key.kind}, not ${wanted}`);
}
