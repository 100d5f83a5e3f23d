import { join } from "node:path";
import { makeFolder } from "../../../files/owned.ts";
import { maskUsers } from "../../../git/remote-url.ts";
import { PrepareError } from "../../../task/errors.ts";
import { realpathInside } from "../../executors/local/realpath-inside.ts";
import { fillWorkspace } from "../../executors/local/workspace.ts";
import type { Site } from "../family.ts";
import type { AnsibleInput } from "./input.ts";

/**
 * Returns the path for the option `-i`: a private file of the task, or a file of a checkout.
 * @throws PrepareError if the inventory cannot be used; the signal's reason.
 */
export async function placeInventory(site: Site<AnsibleInput>, signal: AbortSignal): Promise<string> {
  const { input, folder, keys, git, closed, copyFor, say } = site;
  const { name, source, other } = input.inventory;
  if (source.case === "ini") return (await keys.file("inventory", source.value)).path;
  if (source.case === "yaml") return (await keys.file("inventory.yml", source.value)).path;
  if (source.case !== "file")
    throw new PrepareError(`Cannot run Ansible with ${name}: it is a workspace of the Terraform family`);
  const { path } = source.value;
  if (!other) return contained(folder.work, path, name, input.repository);
  const checkout = join(folder.private, "inventory-repository");
  makeFolder(checkout, folder.owner);
  const { repository } = other;
  const wanted = { ...other, gitBranch: repository.gitBranch, commit: "", target: checkout };
  await fillWorkspace({ ...wanted, git, keys, closed, copyFor, say }, signal);
  return contained(checkout, path, name, repository);
}

function contained(
  root: string,
  path: string,
  inventory: string,
  repository: { name: string; url: string },
): string {
  const found = realpathInside(root, path);
  if (found.kind === "found") return found.path;
  if (found.kind === "missing") {
    const place = `${repository.name} (${maskUsers(repository.url)})`;
    throw new PrepareError(`Cannot use ${inventory}: there is no ${path} in ${place}`, {
      cause: found.cause,
    });
  }
  throw new PrepareError(`Cannot use ${inventory}: ${path} leads out of ${repository.name}`);
}
