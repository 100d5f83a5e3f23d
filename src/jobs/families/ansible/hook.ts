import type { FamilyHook } from "../family.ts";
import { meaningOf } from "../meanings.ts";

/** Explanations of those exit codes of ansible-playbook that its output does not explain. */
const MEANINGS: Record<number, string> = {
  2: "a task failed on some host",
  4: "some host could not be reached, or the playbook could not be read",
  99: "the playbook prompts for a variable, but tasks are non-interactive; set the variable in the task",
  250: "an error in Ansible itself",
};

/** Announces the playbook and its inventory; explains a failure by the exit code. */
export const ansibleHook: FamilyHook<{ inventory?: { name: string } | undefined }> = {
  announce({ template, repository, inventory }) {
    const where = inventory ? ` on ${inventory.name}` : "";
    return `Running ${template.name}: playbook ${template.path} from ${repository.name}${where}`;
  },
  explain: ({ outcome }) => meaningOf(outcome, MEANINGS),
};
