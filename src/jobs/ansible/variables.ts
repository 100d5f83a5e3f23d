import type { Commit } from "../job.ts";
import { taskDetails } from "../task-details.ts";
import type { AnsibleInput } from "./input.ts";
import { variablesAsYaml } from "./yaml.ts";

/** Playbooks find the details of their task here; nobody sets it otherwise. */
const DETAILS = "semaphore_vars";

/**
 * The file of open variables. What callers set, and the words of commits, is text and stays text; what the environment,
 * the template and its survey's defaults say may hold Jinja expressions, as its authors are used to.
 */
export function openVariables(input: AnsibleInput, commit: Commit): string {
  const variables = { ...input.variables, [DETAILS]: { task_details: taskDetails(input, commit) } };
  return variablesAsYaml(variables, (name) => name === DETAILS || input.callerVariables.has(name));
}

/** The file of secret ones; undefined: there are none. */
export function secretVariables(input: AnsibleInput): string | undefined {
  const { [DETAILS]: _, ...secrets } = input.secretVariables;
  if (Object.keys(secrets).length === 0) return undefined;
  return variablesAsYaml(secrets, (name) => input.callerVariables.has(name));
}
