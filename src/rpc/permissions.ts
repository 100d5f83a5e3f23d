import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { AccessKeyService } from "../../gen/signalman/v1/access_key_pb.ts";
import { AppService } from "../../gen/signalman/v1/app_service_pb.ts";
import { CatalogService } from "../../gen/signalman/v1/catalog_service_pb.ts";
import { EnvironmentService } from "../../gen/signalman/v1/environment_pb.ts";
import { InventoryService } from "../../gen/signalman/v1/inventory_pb.ts";
import { ProjectService } from "../../gen/signalman/v1/project_pb.ts";
import { RepositoryService } from "../../gen/signalman/v1/repository_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { TemplateService } from "../../gen/signalman/v1/template_pb.ts";
import { EVERYTHING, type Scopes } from "../store/tasks/scopes.ts";
import type { Caller } from "../task/caller.ts";

/** Right that a method requires of its caller. `public`: none, not even a token. */
export type Permission =
  | "public"
  | "contract.read"
  | "apps.read"
  | "catalog.read"
  | "catalog.write"
  | "tasks.read"
  | "tasks.run"
  | "tasks.kill"
  | "tasks.decide"
  | "tasks.delete";

/** Permission of each method of a service, by its name in TypeScript. A missing method is a compile error. */
type Methods<S extends DescService> = { readonly [M in keyof S["method"]]: Permission };
const of = <S extends DescService>(service: S, methods: Methods<S>) => [service.typeName, methods] as const;

/** Permission of each method of the port. No other place assigns permissions. */
const PERMISSIONS = new Map<string, Readonly<Record<string, Permission>>>([
  of(TaskService, {
    runTask: "tasks.run",
    killTask: "tasks.kill",
    killTasks: "tasks.kill",
    confirmTask: "tasks.decide",
    rejectTask: "tasks.decide",
    deleteTask: "tasks.delete",
    getTask: "tasks.read",
    getTaskPlan: "tasks.read",
    getTaskResult: "tasks.read",
    listTasks: "tasks.read",
    readTaskLog: "tasks.read",
    watchTask: "tasks.read",
    watchTasks: "tasks.read",
  }),
  of(CatalogService, { applyCatalog: "catalog.write", exportCatalog: "catalog.read" }),
  of(ProjectService, {
    createProject: "catalog.write",
    getProject: "catalog.read",
    listProjects: "catalog.read",
    updateProject: "catalog.write",
    deleteProject: "catalog.write",
  }),
  of(AccessKeyService, {
    createAccessKey: "catalog.write",
    getAccessKey: "catalog.read",
    listAccessKeys: "catalog.read",
    updateAccessKey: "catalog.write",
    deleteAccessKey: "catalog.write",
  }),
  of(RepositoryService, {
    createRepository: "catalog.write",
    getRepository: "catalog.read",
    listRepositories: "catalog.read",
    updateRepository: "catalog.write",
    deleteRepository: "catalog.write",
  }),
  of(InventoryService, {
    createInventory: "catalog.write",
    getInventory: "catalog.read",
    listInventories: "catalog.read",
    updateInventory: "catalog.write",
    deleteInventory: "catalog.write",
  }),
  of(EnvironmentService, {
    createEnvironment: "catalog.write",
    getEnvironment: "catalog.read",
    listEnvironments: "catalog.read",
    updateEnvironment: "catalog.write",
    deleteEnvironment: "catalog.write",
  }),
  of(TemplateService, {
    createTemplate: "catalog.write",
    getTemplate: "catalog.read",
    listTemplates: "catalog.read",
    updateTemplate: "catalog.write",
    deleteTemplate: "catalog.write",
  }),
  of(AppService, { listApps: "apps.read" }),
  // Public, since load balancers and Kubernetes have no token.
  of(Health, { check: "public", list: "public", watch: "public" }),
  ["grpc.reflection.v1.ServerReflection", { serverReflectionInfo: "contract.read" }],
  ["grpc.reflection.v1alpha.ServerReflection", { serverReflectionInfo: "contract.read" }],
]);

/** Returns the permission of a method; undefined if the table lacks it: it then needs a token and is logged as a write. */
export function permissionOf(method: DescMethod): Permission | undefined {
  return PERMISSIONS.get(method.parent.typeName)?.[method.localName];
}

/** True for methods that change nothing. */
export function isRead(method: DescMethod): boolean {
  const permission = permissionOf(method);
  return permission === "public" || permission?.endsWith(".read") === true;
}

/** Tasks that each kind of caller may list. */
const SCOPES: Readonly<Record<Caller["kind"], Scopes>> = { anonymous: EVERYTHING, root: EVERYTHING };

export const scopesOf = (caller: Caller): Scopes => SCOPES[caller.kind];
