import { stripEscapes } from "../../logs/escapes.ts";
import type { FamilyHook } from "../family.ts";

/** What is announced of a task. */
export interface Announced {
  template: { app: string };
  terraform: { destroy: boolean };
  inventory?: { source: { case?: string | undefined; value?: unknown } } | undefined;
}

/**
 * Says after a failure what Terraform gave as its reason, and what to do about a lock that somebody holds, which is never
 * broken, and about a plan that became stale, which is never replaced.
 */
export const terraformHook: FamilyHook<Announced> = {
  announce({ template, repository, terraform, inventory }) {
    const what = terraform.destroy ? "a plan to destroy everything" : "a plan";
    const place = inventory?.source.case === "workspace" ? `, workspace ${inventory.source.value}` : "";
    return `Running ${template.name}: ${template.app}, ${what} of ${template.path} from ${repository.name}${place}`;
  },
  async explain({ app, outcome, lastErrors }) {
    if (outcome.reason !== "EXIT_CODE") return undefined;
    const errors = plain(await lastErrors());
    return (
      lockOf(app, errors) ??
      staleness(errors) ??
      fullDisk(errors) ??
      noWorkspaces(errors) ??
      firstError(errors)
    );
  },
};

/** Without colors and the line that Terraform draws beside an error. */
function plain(output: Buffer): string {
  return stripEscapes(output)
    .toString()
    .replace(/^[│╷╵|] ?/gm, "");
}

function lockOf(app: string, errors: string): string | undefined {
  if (!errors.includes("Error acquiring the state lock")) return undefined;
  const [id, who, operation, created] = ["ID", "Who", "Operation", "Created"].map(
    (field) => new RegExp(`^ *${field}: +(\\S.*?) *$`, "m").exec(errors)?.[1],
  );
  if (!id) return `the state is locked: ${/^Error message: (.*)$/m.exec(errors)?.[1] ?? "by somebody else"}`;
  const whose = [who && `by ${who}`, operation && `for ${operation}`, created && `since ${created}`];
  return (
    `the state is locked ${whose.filter(Boolean).join(" ")}, lock ${id}. ` +
    `When nobody works on that state any more, "${app} force-unlock ${id}" breaks the lock`
  );
}

function staleness(errors: string): string | undefined {
  if (!/Saved plan (is stale|does not match the given state)/.test(errors)) return undefined;
  return "the plan is stale: the state was changed after it was made. Nothing was applied; run the template again for a new plan";
}

function fullDisk(errors: string): string | undefined {
  if (!errors.toLowerCase().includes("no space left on device")) return undefined;
  return "a disk is full, most likely that of the data folder; free some space and run the template again";
}

function noWorkspaces(errors: string): string | undefined {
  if (!/^workspaces not supported/m.test(errors)) return undefined;
  return "the backend has no workspace but default; name that one in the inventory, or use another backend";
}

function firstError(errors: string): string | undefined {
  return /^Error: (\S.*?)\s*$/m.exec(errors)?.[1];
}
