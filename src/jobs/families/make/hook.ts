import type { FamilyHook } from "../family.ts";

/** Announces the targets; explains a failure by the target that failed, or by what make could not do. */
export const makeHook: FamilyHook<{ make: { targets: readonly string[] } }> = {
  announce({ template, repository, make }) {
    const what = make.targets.length > 0 ? make.targets.join(" ") : "the default goal";
    return `Running ${template.name}: make, ${what} of ${template.path} from ${repository.name}`;
  },
  async explain({ outcome, lastErrors }) {
    if (outcome.reason !== "EXIT_CODE") return undefined;
    // Each nested make that gave up prints such a line; the first is of the make whose command failed.
    const found = /^make(?:\[\d+\])?: \*\*\* (.*?)(?:\s+Stop\.)?$/m.exec((await lastErrors()).toString());
    return found?.[1];
  },
};
