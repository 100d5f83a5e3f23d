import { EVERYTHING, type Scope, type Scopes } from "../store/tasks/scopes.ts";
import type { Caller } from "../task/caller.ts";
import { type Grant, type Permission, permits } from "../task/roles.ts";

/** Target of a permission check: everything, a project, or a template with its tasks. */
export interface Place {
  /** null: everything. */
  project: string | null;
  /** null: the whole project. */
  template: string | null;
}

type Grants = Pick<Caller, "grants">;

/** Tells whether the caller has a permission on the whole of a place. */
export const mayAt = ({ grants }: Grants, permission: Permission, place: Place): boolean =>
  grants.some((grant) => permits(grant, permission) && covers(grant, place));

/** Tells whether the caller has a permission on some part of a place. */
export const mayWithin = ({ grants }: Grants, permission: Permission, place: Place): boolean =>
  grants.some((grant) => permits(grant, permission) && overlaps(grant, place));

/** Tells whether the caller has any role on a part of a place, and may therefore know that it exists. */
export const knows = ({ grants }: Grants, place: Place): boolean =>
  grants.some((grant) => grant.roles.length > 0 && overlaps(grant, place));

/** Returns the scopes in which the caller has a permission. */
export function scopesOf({ grants }: Grants, permission: Permission): Scopes {
  const fit = grants.filter((grant) => permits(grant, permission));
  if (fit.some(({ project }) => project === null)) return EVERYTHING;
  return fit.map(
    ({ project, template }): Scope => ({ project: project ?? "", ...(template && { template }) }),
  );
}

/** Tells whether a caller who has lost or gained rights still has a permission in all scopes in which it had it. */
export function keepsScopes(before: Grants, now: Grants, permission: Permission): boolean {
  const scopes = scopesOf(before, permission);
  if (scopes === EVERYTHING) return scopesOf(now, permission) === EVERYTHING;
  return scopes.every(({ project, template = null }) => mayAt(now, permission, { project, template }));
}

const covers = (grant: Grant, { project, template }: Place): boolean =>
  grant.project === null ||
  (grant.project === project && (grant.template === null || grant.template === template));

const overlaps = (grant: Grant, { project, template }: Place): boolean =>
  grant.project === null ||
  project === null ||
  (grant.project === project &&
    (grant.template === null || template === null || grant.template === template));
