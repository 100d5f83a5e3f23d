/**
 * Right that a method requires of its caller. `public`: none, not even a token. `any.*`: every authenticated caller has
 * it. All others come from roles, and hold for everything, a project or a template.
 */
export type Permission =
  | "public"
  | "any.read"
  | "catalog.read"
  | "catalog.write"
  | "tasks.read"
  | "tasks.run"
  | "tasks.kill"
  | "tasks.kill-own"
  | "tasks.decide"
  | "tasks.delete"
  | "bindings.read"
  | "bindings.write"
  | "nodes.read"
  | "nodes.write"
  | "accounts.read"
  | "accounts.write"
  | "audit.read";

const VIEWER = ["catalog.read", "tasks.read"] as const;
const RUNNER = [...VIEWER, "tasks.run", "tasks.kill-own"] as const;
const OPERATOR = [
  ...RUNNER,
  "tasks.kill",
  "tasks.decide",
  "tasks.delete",
  "nodes.read",
  "nodes.write",
] as const;
const EDITOR = [...VIEWER, "catalog.write"] as const;
const ADMIN = [
  ...OPERATOR,
  ...EDITOR,
  "bindings.read",
  "bindings.write",
  "accounts.read",
  "accounts.write",
  "audit.read",
] as const;

/** Permissions of each role, by its name in the contract without `ROLE_`. No other place says what a role may do. */
export const ROLES = {
  VIEWER,
  RUNNER,
  OPERATOR,
  EDITOR,
  ADMIN,
} as const satisfies Record<string, readonly Permission[]>;
export type Role = keyof typeof ROLES;

/** Roles on everything, on a project, or on one of its templates. */
export interface Grant {
  roles: readonly Role[];
  /** null: everything. */
  project: string | null;
  /** null: everything in the project. */
  template: string | null;
}

/** Tells whether a grant's roles have a permission, wherever the grant holds. */
export const permits = ({ roles }: Pick<Grant, "roles">, permission: Permission): boolean =>
  roles.some((role) => (ROLES[role] as readonly Permission[] | undefined)?.includes(permission));
