import { TemplateType } from "../../../../gen/signalman/v1/template_pb.ts";
import type { AnsibleInput } from "../../../../src/jobs/families/ansible/input.ts";
import type { AccessKey } from "../../../../src/keys/access-key.ts";

export const NO_KEY: AccessKey = { name: "", kind: "none" };

/** Input of a call of Ansible with default settings. */
export function ansibleInput(more: Partial<AnsibleInput> = {}): AnsibleInput {
  return {
    id: "018f",
    message: "",
    gitBranch: "",
    template: { type: TemplateType.TASK, app: "ansible", path: "site.yml", workingDir: "" },
    repository: { name: "projects/p/repositories/r", url: "/r" },
    repositoryKey: NO_KEY,
    version: "",
    incomingVersion: "",
    arguments: { template: [], task: [] },
    variables: {},
    secretVariables: {},
    callerVariables: new Set(),
    env: {},
    inventory: {
      name: "projects/p/inventories/hosts",
      source: { case: "ini", value: "localhost" },
      sshKey: NO_KEY,
      becomeKey: NO_KEY,
      other: undefined,
    },
    vaults: [],
    ansible: {
      limit: [],
      tags: [],
      skipTags: [],
      verbosity: 0,
      check: false,
      diff: false,
      refreshRequirements: false,
    },
    ...more,
  };
}
