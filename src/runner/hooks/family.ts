import { familyOf } from "../../jobs/families.ts";
import type { Hook } from "../hooks.ts";

/** Says in the log what will run, and after a failure what it means, as the app's family knows it. May run again. */
export const familyHook: Hook = {
  name: "app",
  appliesTo: () => true,
  async before({ app, say }, details) {
    say(familyOf(app).hook.announce(details));
  },
  async after({ app, lastErrors }, outcome) {
    const meaning = await familyOf(app).hook.explain({ app, outcome, lastErrors });
    return meaning ? { ...outcome, message: `${outcome.message}: ${meaning}` } : outcome;
  },
};
