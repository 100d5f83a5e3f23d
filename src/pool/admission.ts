import type { Candidate } from "../store/tasks/leases.ts";

/**
 * Returns the ids of the candidates that may start, in their order, at most `slots`. A template without parallel runs
 * starts one task at a time, a project up to its limit. A candidate that may not start does not hold up those behind
 * it. Candidates of a busy template have been left out by the query (store/tasks/leases.ts).
 */
export function admit(candidates: readonly Candidate[], slots: number): string[] {
  const admitted: string[] = [];
  const inProject = new Map<string, number>();
  const inTemplate = new Set<string>();
  for (const { id, project, template, allowParallel, projectLimit, projectActive } of candidates) {
    if (admitted.length === slots) break;
    const active = inProject.get(project) ?? projectActive;
    if (projectLimit > 0 && active >= projectLimit) continue;
    const key = `${project}/${template}`;
    if (!allowParallel && inTemplate.has(key)) continue;
    inProject.set(project, active + 1);
    inTemplate.add(key);
    admitted.push(id);
  }
  return admitted;
}
