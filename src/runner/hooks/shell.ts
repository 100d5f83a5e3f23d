import { familyOf } from "../../task/apps.ts";
import type { Hook } from "../hooks.ts";
import { explained } from "./explained.ts";

/** What shells mean by these exit codes (POSIX, Shell Command Language 2.8.2). */
const MEANINGS: Record<number, string> = {
  126: "a command was found but could not be executed; is it executable, and is its first line right?",
  127: "a command was not found; is it installed on this server, and in PATH?",
  137: "SIGKILL, which nobody sent through Signalman; was the machine out of memory?",
};

/**
 * Shell-like apps. Before: says in the log what will run. After: explains exit codes to which shells give a meaning.
 * Both may run again.
 */
export const shellHook: Hook = {
  name: "shell",
  appliesTo: (app) => familyOf(app) === "shell",
  async before({ say }, { template, repository }) {
    say(`Running ${template.name}: ${template.app} ${template.path} from ${repository.name}`);
  },
  async after(_, outcome) {
    return explained(outcome, MEANINGS);
  },
};
