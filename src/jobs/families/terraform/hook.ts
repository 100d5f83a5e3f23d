import { stripEscapes } from "../../../logs/escapes.ts";
import type { FamilyHook } from "../family.ts";

/** Task details that the announcement names. */
export interface Announced {
  template: { app: string };
  terraform: { destroy: boolean };
  inventory?: { source: { case?: string | undefined; value?: unknown } } | undefined;
}

/**
 * Announces the plan; explains a failure by Terraform's first error. For a held lock, which Signalman never breaks, and for a
 * stale plan, which it never replaces, the explanation says what to do.
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

/** Removes colors, and the line that Terraform draws beside an error. */
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
  if (!id)
    return `the state is locked: ${/^Error message: (.*)$/m.exec(errors)?.[1] ?? "by another process"}`;
  const whose = [who && `by ${who}`, operation && `for ${operation}`, created && `since ${created}`];
  return (
    `the state is locked ${whose.filter(Boolean).join(" ")}, lock ${id}. ` +
    `If no process uses that state any more, release the lock with "${app} force-unlock ${id}"`
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
