import type { JsonObject } from "@bufbuild/protobuf";
import type { Inventory } from "../../../gen/signalman/v1/inventory_pb.ts";
import type { AccessKey } from "../../keys/access-key.ts";
import type { WorkspaceOptions } from "../local/workspace.ts";
import type { ToldTask } from "../task-details.ts";

/** How `ansible-playbook` is called. */
export interface AnsibleSettings {
  limit: readonly string[];
  tags: readonly string[];
  skipTags: readonly string[];
  /** 0 to 6. */
  verbosity: number;
  check: boolean;
  diff: boolean;
  /** Fetch what Galaxy brought before anew. */
  refreshRequirements: boolean;
}

/** A repository and what it is fetched with. */
export interface OtherRepository {
  repository: { name: string; gitBranch: string } & WorkspaceOptions["repository"];
  repositoryKey: AccessKey;
}

/** Where a task works. */
export interface AnsibleInventory<Other = OtherRepository> {
  /** Its full name. */
  name: string;
  source: Inventory["source"];
  sshKey: AccessKey;
  becomeKey: AccessKey;
  /** Of a file in another repository than the template's. */
  other: Other | undefined;
}

/** A vault and what opens it: an access key, or a script in the repository. */
export type AnsibleVault = { name: string } & ({ key: AccessKey } | { script: string });

/** What a call of Ansible is made of; a part of the task's details. */
export interface AnsibleInput extends ToldTask {
  template: ToldTask["template"] & { app: string; path: string; workingDir: string };
  repository: { name: string; url: string };
  repositoryKey: AccessKey;
  arguments: { template: readonly string[]; task: readonly string[] };
  variables: JsonObject;
  secretVariables: Readonly<Record<string, string>>;
  /** Names of those of both kinds whose values are the caller's. */
  callerVariables: ReadonlySet<string>;
  env: Readonly<Record<string, string>>;
  inventory: AnsibleInventory;
  vaults: readonly AnsibleVault[];
  ansible: AnsibleSettings;
}
