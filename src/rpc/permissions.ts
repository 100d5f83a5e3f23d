import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { AccessKeyService } from "../../gen/signalman/v1/access_key_pb.ts";
import { AccountService } from "../../gen/signalman/v1/account_pb.ts";
import { AppService } from "../../gen/signalman/v1/app_service_pb.ts";
import { AuditService } from "../../gen/signalman/v1/audit_pb.ts";
import { CatalogService } from "../../gen/signalman/v1/catalog_service_pb.ts";
import { EnvironmentService } from "../../gen/signalman/v1/environment_pb.ts";
import { InventoryService } from "../../gen/signalman/v1/inventory_pb.ts";
import { NodeService } from "../../gen/signalman/v1/node_pb.ts";
import { ProjectService } from "../../gen/signalman/v1/project_pb.ts";
import { RepositoryService } from "../../gen/signalman/v1/repository_pb.ts";
import { RoleBindingService } from "../../gen/signalman/v1/role_binding_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { TemplateService } from "../../gen/signalman/v1/template_pb.ts";
import { TokenService } from "../../gen/signalman/v1/token_pb.ts";
import type { Permission } from "../task/roles.ts";
import {
  account,
  catalog,
  everything,
  everythingSeen,
  named,
  node,
  parent,
  seenIn,
  type TargetOf,
  task,
  template,
  updated,
} from "./targets.ts";

/** Permission that a method requires, and on what. */
export interface MethodRule {
  permission: Permission;
  targetOf: TargetOf;
  /** Weaker permission that suffices for what the caller has created. */
  own?: Permission;
}

const on = (permission: Permission, targetOf: TargetOf, own?: Permission): MethodRule => ({
  permission,
  targetOf,
  ...(own && { own }),
});
const OPEN = on("public", everything);
const ANY = on("any.read", everything);

/** Rule of each method of a service, by its name in TypeScript. A missing method is a compile error. */
type Methods<S extends DescService> = { readonly [M in keyof S["method"]]: MethodRule };
const of = <S extends DescService>(service: S, methods: Methods<S>) => [service.typeName, methods] as const;

/** Rule of each method of the port. No other place says what a method requires. */
const RULES = new Map<string, Readonly<Record<string, MethodRule>>>([
  of(TaskService, {
    runTask: on("tasks.run", template),
    killTask: on("tasks.kill", task, "tasks.kill-own"),
    abandonTask: on("tasks.kill", task),
    killTasks: on("tasks.kill", template, "tasks.kill-own"),
    confirmTask: on("tasks.decide", task),
    rejectTask: on("tasks.decide", task),
    deleteTask: on("tasks.delete", task),
    getTask: on("tasks.read", task),
    getTaskPlan: on("tasks.read", task),
    getTaskResult: on("tasks.read", task),
    listTasks: on("tasks.read", seenIn),
    readTaskLog: on("tasks.read", task),
    waitTask: on("tasks.read", task),
    watchTask: on("tasks.read", task),
    watchTasks: on("tasks.read", seenIn),
  }),
  of(CatalogService, {
    applyCatalog: on("catalog.write", catalog),
    exportCatalog: on("catalog.read", named),
  }),
  of(ProjectService, {
    createProject: on("catalog.write", everything),
    getProject: on("catalog.read", named),
    listProjects: on("catalog.read", everythingSeen),
    updateProject: on("catalog.write", updated("project")),
    deleteProject: on("catalog.write", named),
  }),
  of(AccessKeyService, {
    createAccessKey: on("catalog.write", parent),
    getAccessKey: on("catalog.read", named),
    listAccessKeys: on("catalog.read", seenIn),
    updateAccessKey: on("catalog.write", updated("accessKey")),
    deleteAccessKey: on("catalog.write", named),
  }),
  of(RepositoryService, {
    createRepository: on("catalog.write", parent),
    getRepository: on("catalog.read", named),
    listRepositories: on("catalog.read", seenIn),
    updateRepository: on("catalog.write", updated("repository")),
    deleteRepository: on("catalog.write", named),
  }),
  of(InventoryService, {
    createInventory: on("catalog.write", parent),
    getInventory: on("catalog.read", named),
    listInventories: on("catalog.read", seenIn),
    updateInventory: on("catalog.write", updated("inventory")),
    deleteInventory: on("catalog.write", named),
  }),
  of(EnvironmentService, {
    createEnvironment: on("catalog.write", parent),
    getEnvironment: on("catalog.read", named),
    listEnvironments: on("catalog.read", seenIn),
    updateEnvironment: on("catalog.write", updated("environment")),
    deleteEnvironment: on("catalog.write", named),
  }),
  of(TemplateService, {
    createTemplate: on("catalog.write", parent),
    getTemplate: on("catalog.read", named),
    listTemplates: on("catalog.read", seenIn),
    updateTemplate: on("catalog.write", updated("template")),
    deleteTemplate: on("catalog.write", named),
  }),
  of(RoleBindingService, {
    createRoleBinding: on("bindings.write", parent),
    getRoleBinding: on("bindings.read", named),
    listRoleBindings: on("bindings.read", seenIn),
    updateRoleBinding: on("bindings.write", updated("roleBinding")),
    deleteRoleBinding: on("bindings.write", named),
  }),
  of(AccountService, {
    createAccount: on("accounts.write", everything),
    getAccount: on("accounts.read", account("name")),
    listAccounts: on("accounts.read", everything),
    updateAccount: on("accounts.write", account("account")),
    deleteAccount: on("accounts.write", account("name")),
  }),
  of(TokenService, {
    createToken: on("accounts.write", account("parent")),
    listTokens: on("accounts.read", account("parent")),
    revokeToken: on("accounts.write", account("name")),
  }),
  of(NodeService, {
    getNode: on("nodes.read", node),
    listNodes: on("nodes.read", everything),
    drainNode: on("nodes.write", node),
    undrainNode: on("nodes.write", node),
    forgetNode: on("nodes.write", node),
  }),
  of(AuditService, { listAuditEvents: on("audit.read", everythingSeen) }),
  of(AppService, { listApps: on("catalog.read", everythingSeen) }),
  // Public, since load balancers and Kubernetes have no token.
  of(Health, { check: OPEN, list: OPEN, watch: OPEN }),
  ["grpc.reflection.v1.ServerReflection", { serverReflectionInfo: ANY }],
  ["grpc.reflection.v1alpha.ServerReflection", { serverReflectionInfo: ANY }],
]);

const findRule = (method: DescMethod) => RULES.get(method.parent.typeName)?.[method.localName];

/** Returns the rule of a method. @throws Error if the table lacks it. */
export function ruleOf(method: DescMethod): MethodRule {
  const rule = findRule(method);
  if (!rule) throw new Error(`${method.parent.typeName}/${method.name} has no permission`);
  return rule;
}

/**
 * Returns the permission of a method; undefined if the table lacks the method, which then needs a token and is logged as a
 * write.
 */
export const permissionOf = (method: DescMethod): Permission | undefined => findRule(method)?.permission;

/** True for methods that change nothing. */
export function isRead(method: DescMethod): boolean {
  const permission = permissionOf(method);
  return permission === "public" || permission?.endsWith(".read") === true;
}
