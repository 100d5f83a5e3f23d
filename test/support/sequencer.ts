import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that take longest, most of it in waiting: begun last, one of them would run alone at the end. */
const LONGEST = [
  "faults/server-unfit",
  "faults/suite/suite",
  "faults/database-refuses",
  "faults/database-away",
  "faults/server-killed",
  "faults/many",
  "isolation/tools",
  "isolation/users-apps",
  "isolation/escapees",
  "git/damage",
  "cli/quickstart",
  "e2e/preparation",
  "families/ansible/playbook",
  "runner/hooks/failures",
  "http/unended",
  "cli/serve",
  "runner/hooks/modules",
  "families/terraform/decisions",
  "families/ansible/galaxy",
];

/** Begins with the longest files, also in a fresh clone, where vitest knows no durations. */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const place = LONGEST.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
      return place === -1 ? LONGEST.length : place;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
