import type { Commit } from "../../job.ts";
import { taskDetails } from "../task-details.ts";
import type { AnsibleInput } from "./input.ts";
import { variablesAsYaml } from "./yaml.ts";

/** Variable that holds the details of the task; users cannot set it. */
const DETAILS = "semaphore_vars";

/**
 * Returns the text of the file of plain variables. Values from callers and commit messages are never evaluated; values from
 * the environment, the template and its survey's defaults may hold Jinja expressions, as in Semaphore UI.
 */
export function openVariables(input: AnsibleInput, commit: Commit): string {
  const variables = { ...input.variables, [DETAILS]: { task_details: taskDetails(input, commit) } };
  return variablesAsYaml(variables, (name) => name === DETAILS || input.callerVariables.has(name));
}

/** Returns the text of the file of secret variables; undefined: there are none. */
export function secretVariables(input: AnsibleInput): string | undefined {
  const { [DETAILS]: _, ...secrets } = input.secretVariables;
  if (Object.keys(secrets).length === 0) return undefined;
  return variablesAsYaml(secrets, (name) => input.callerVariables.has(name));
}
