import type { Grant, Role } from "../../../src/task/roles.ts";

/*
 * The contract's promises about roles, written a second time and independently of src/: each method with the roles that may
 * call it, and each target with the places whose roles count. Tests compare the server with it.
 */

const ALL: readonly Role[] = ["VIEWER", "RUNNER", "OPERATOR", "EDITOR", "ADMIN"];
const RUN: readonly Role[] = ["RUNNER", "OPERATOR", "ADMIN"];
const OPERATE: readonly Role[] = ["OPERATOR", "ADMIN"];
const EDIT: readonly Role[] = ["EDITOR", "ADMIN"];
const ADMIN: readonly Role[] = ["ADMIN"];

/** Kind of the target that a request names. */
export type Kind =
  | "everything" // nothing: the whole service
  | "account" // an account or a token
  | "node"
  | "project"
  | "resource" // a repository, an environment, an inventory or an access key
  | "binding"
  | "template"
  | "task"
  | "list"; // the resources in a parent, or of everything

interface Rule {
  kind: Kind;
  roles: readonly Role[];
  /** Roles that suffice for the caller's own tasks. */
  own?: readonly Role[];
}

const standard = (one: string, many: string, kind: Kind, read: readonly Role[], write: readonly Role[]) => ({
  [`create${one}`]: { kind: "project", roles: write },
  [`get${one}`]: { kind, roles: read },
  [`list${many}`]: { kind: "list", roles: read },
  [`update${one}`]: { kind, roles: write },
  [`delete${one}`]: { kind, roles: write },
});

export const ORACLE: Readonly<Record<string, Rule>> = {
  runTask: { kind: "template", roles: RUN },
  killTasks: { kind: "template", roles: OPERATE, own: RUN },
  killTask: { kind: "task", roles: OPERATE, own: RUN },
  abandonTask: { kind: "task", roles: OPERATE },
  confirmTask: { kind: "task", roles: OPERATE },
  rejectTask: { kind: "task", roles: OPERATE },
  deleteTask: { kind: "task", roles: OPERATE },
  getTask: { kind: "task", roles: ALL },
  getTaskPlan: { kind: "task", roles: ALL },
  getTaskResult: { kind: "task", roles: ALL },
  readTaskLog: { kind: "task", roles: ALL },
  waitTask: { kind: "task", roles: ALL },
  watchTask: { kind: "task", roles: ALL },
  listTasks: { kind: "list", roles: ALL },
  watchTasks: { kind: "list", roles: ALL },
  applyCatalog: { kind: "project", roles: EDIT },
  exportCatalog: { kind: "project", roles: ALL },
  ...standard("Project", "Projects", "project", ALL, EDIT),
  createProject: { kind: "everything", roles: EDIT },
  ...standard("AccessKey", "AccessKeys", "resource", ALL, EDIT),
  ...standard("Repository", "Repositories", "resource", ALL, EDIT),
  ...standard("Inventory", "Inventories", "resource", ALL, EDIT),
  ...standard("Environment", "Environments", "resource", ALL, EDIT),
  ...standard("Template", "Templates", "template", ALL, EDIT),
  ...standard("RoleBinding", "RoleBindings", "binding", ADMIN, ADMIN),
  createAccount: { kind: "everything", roles: ADMIN },
  getAccount: { kind: "account", roles: ADMIN },
  listAccounts: { kind: "everything", roles: ADMIN },
  updateAccount: { kind: "account", roles: ADMIN },
  deleteAccount: { kind: "account", roles: ADMIN },
  createToken: { kind: "account", roles: ADMIN },
  listTokens: { kind: "account", roles: ADMIN },
  revokeToken: { kind: "account", roles: ADMIN },
  getNode: { kind: "node", roles: OPERATE },
  listNodes: { kind: "everything", roles: OPERATE },
  drainNode: { kind: "node", roles: OPERATE },
  undrainNode: { kind: "node", roles: OPERATE },
  forgetNode: { kind: "node", roles: OPERATE },
  listAuditEvents: { kind: "list", roles: ADMIN },
  listApps: { kind: "list", roles: ALL },
} as Record<string, Rule>;

export interface Target {
  project?: string;
  template?: string;
  /** Name of the task's creator. */
  createdBy?: string;
}

export type Verdict = "allowed" | "denied" | "hidden";

/** Returns what a caller with these grants may expect of a method on a target. */
export function verdictOf(method: string, name: string, grants: readonly Grant[], at: Target): Verdict {
  const rule = ORACLE[method];
  if (!rule) throw new Error(`Say in the oracle who may call ${method}`);
  const has = (roles: readonly Role[], where: (grant: Grant) => boolean) =>
    grants.some((grant) => where(grant) && grant.roles.some((role) => roles.includes(role)));
  const everywhere = ({ project }: Grant) => project === null;
  const onProject = (grant: Grant) => everywhere(grant) || (grant.project === at.project && !grant.template);
  const onTemplate = (grant: Grant) =>
    onProject(grant) || (grant.project === at.project && grant.template === at.template);
  const inside = (grant: Grant) =>
    at.project === undefined || everywhere(grant) || grant.project === at.project;
  const where = {
    everything: everywhere,
    account: everywhere,
    node: everywhere,
    project: onProject,
    resource: onProject,
    binding: onProject,
    template: onTemplate,
    task: onTemplate,
    list: inside,
  }[rule.kind];
  if (has(rule.roles, where)) return "allowed";
  if (rule.own && (at.createdBy === undefined || at.createdBy === name) && has(rule.own, where))
    return "allowed";
  const known = {
    everything: true,
    account: has(ADMIN, everywhere),
    node: has(OPERATE, everywhere),
    project: has(ALL, inside),
    resource: has(ALL, onProject),
    binding: has(ADMIN, onProject),
    template: has(ALL, onTemplate),
    task: has(ALL, onTemplate),
    list: at.project === undefined || has(ALL, inside),
  }[rule.kind];
  return known ? "denied" : "hidden";
}
