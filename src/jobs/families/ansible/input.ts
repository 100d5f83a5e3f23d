import type { JsonObject } from "@bufbuild/protobuf";
import type { Inventory } from "../../../../gen/signalman/v1/inventory_pb.ts";
import type { AccessKey } from "../../../keys/access-key.ts";
import type { WorkspaceOptions } from "../../executors/local/workspace.ts";
import type { ToldTask } from "../task-details.ts";

/** Settings of a call of `ansible-playbook`. */
export interface AnsibleSettings {
  limit: readonly string[];
  tags: readonly string[];
  skipTags: readonly string[];
  /** Number of `v` options, 0 to 6. */
  verbosity: number;
  check: boolean;
  diff: boolean;
  /** Fetch roles and collections from Galaxy anew, even if they are cached. */
  refreshRequirements: boolean;
}

/** A repository other than the template's, and the access key that fetches it. */
export interface OtherRepository {
  repository: { name: string; gitBranch: string } & WorkspaceOptions["repository"];
  repositoryKey: AccessKey;
}

/** Hosts that a playbook runs on, and the access keys for them. */
export interface AnsibleInventory<Other = OtherRepository> {
  /** Full resource name. */
  name: string;
  source: Inventory["source"];
  sshKey: AccessKey;
  becomeKey: AccessKey;
  /** Repository of the inventory file; undefined: the template's repository, or the source is no file. */
  other: Other | undefined;
}

/** A vault and the access key, or the script in the repository, that opens it. */
export type AnsibleVault = { name: string } & ({ key: AccessKey } | { script: string });

/** Inputs for a call of Ansible; a part of the task's details. */
export interface AnsibleInput extends ToldTask {
  template: ToldTask["template"] & { app: string; path: string; workingDir: string };
  repository: { name: string; url: string };
  repositoryKey: AccessKey;
  arguments: { template: readonly string[]; task: readonly string[] };
  variables: JsonObject;
  secretVariables: Readonly<Record<string, string>>;
  /** Names of plain and secret variables whose values come from the caller. */
  callerVariables: ReadonlySet<string>;
  env: Readonly<Record<string, string>>;
  inventory: AnsibleInventory;
  vaults: readonly AnsibleVault[];
  ansible: AnsibleSettings;
}
