import type { FamilyHook } from "../family.ts";
import { meaningOf } from "../meanings.ts";

/** What Ansible means by these exit codes, where its output does not say it. */
const MEANINGS: Record<number, string> = {
  2: "a task failed on some host",
  4: "some host could not be reached, or the playbook could not be read",
  99: "it asked for a variable, and nobody can answer; give it to the task",
  250: "an error in Ansible itself",
};

export const ansibleHook: FamilyHook<{ inventory?: { name: string } | undefined }> = {
  announce({ template, repository, inventory }) {
    const where = inventory ? ` on ${inventory.name}` : "";
    return `Running ${template.name}: playbook ${template.path} from ${repository.name}${where}`;
  },
  explain: ({ outcome }) => meaningOf(outcome, MEANINGS),
};
