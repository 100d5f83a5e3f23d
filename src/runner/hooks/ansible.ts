import { familyOf } from "../../task/apps.ts";
import type { Hook } from "../hooks.ts";
import { explained } from "./explained.ts";

/** What Ansible means by these exit codes, where its output does not say it. */
const MEANINGS: Record<number, string> = {
  2: "a task failed on some host",
  4: "some host could not be reached, or the playbook could not be read",
  99: "it asked for a variable, and nobody can answer; give it to the task",
  250: "an error in Ansible itself",
};

/**
 * Playbooks. Before: says in the log what will run. After: explains exit codes. Both may run again.
 */
export const ansibleHook: Hook = {
  name: "ansible",
  appliesTo: (app) => familyOf(app) === "ansible",
  async before({ say }, { template, repository, inventory }) {
    const where = inventory ? ` on ${inventory.name}` : "";
    say(`Running ${template.name}: playbook ${template.path} from ${repository.name}${where}`);
  },
  async after(_, outcome) {
    return explained(outcome, MEANINGS);
  },
};
