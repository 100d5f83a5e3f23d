import { familyOf } from "../../jobs/families/all.ts";
import type { Hook } from "../hooks.ts";

/**
 * Writes into the log what the app is going to run, and adds to the message of a failure what the app's family knows of
 * its cause. Idempotent.
 */
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
