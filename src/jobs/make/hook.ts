import type { FamilyHook } from "../family.ts";

/** Says after a failure which target failed, or what make could not do. */
export const makeHook: FamilyHook<{ make: { targets: readonly string[] } }> = {
  announce({ template, repository, make }) {
    const what = make.targets.length > 0 ? make.targets.join(" ") : "the default goal";
    return `Running ${template.name}: make, ${what} of ${template.path} from ${repository.name}`;
  },
  async explain({ outcome, lastErrors }) {
    if (outcome.reason !== "EXIT_CODE") return undefined;
    // make ends with one such line for each make that gave up; the first is the one in which the command failed.
    const found = /^make(?:\[\d+\])?: \*\*\* (.*?)(?:\s+Stop\.)?$/m.exec((await lastErrors()).toString());
    return found?.[1];
  },
};
