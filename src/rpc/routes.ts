import type { DescService } from "@bufbuild/protobuf";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
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
import { type AccountsDeps, accountMethods } from "./accounts/accounts.ts";
import { type TokensDeps, tokenMethods } from "./accounts/tokens.ts";
import { type Call, callOf } from "./call.ts";
import { applyCatalog } from "./catalog/apply-catalog.ts";
import { type ExportCatalogDeps, exportCatalog } from "./catalog/export-catalog.ts";
import { type StandardDeps, standardMethods } from "./catalog/methods.ts";
import type { CatalogWarningDeps } from "./catalog/warnings.ts";
import { type GuardDeps, guarded } from "./guard.ts";
import { type ListAppsDeps, listApps } from "./list-apps.ts";
import { type ListAuditEventsDeps, listAuditEvents } from "./list-audit-events.ts";
import { type NodesDeps, nodeMethods } from "./nodes.ts";
import { type AbandonTaskDeps, abandonTask } from "./tasks/abandon-task.ts";
import { type ConfirmTaskDeps, confirmTask } from "./tasks/confirm-task.ts";
import { type DeleteTaskDeps, deleteTask } from "./tasks/delete-task.ts";
import { type GetTaskDeps, getTask } from "./tasks/get-task.ts";
import { type GetTaskPlanDeps, getTaskPlan } from "./tasks/get-task-plan.ts";
import { type GetTaskResultDeps, getTaskResult } from "./tasks/get-task-result.ts";
import { type KillTaskDeps, killTask } from "./tasks/kill-task.ts";
import { type KillTasksDeps, killTasks } from "./tasks/kill-tasks.ts";
import { type ListTasksDeps, listTasks } from "./tasks/list-tasks.ts";
import { type ReadTaskLogDeps, readTaskLog } from "./tasks/read-task-log.ts";
import { type RejectTaskDeps, rejectTask } from "./tasks/reject-task.ts";
import { type RunTaskDeps, runTask } from "./tasks/run-task.ts";
import { type WaitTaskDeps, waitTask } from "./tasks/wait-task.ts";
import { type WatchTaskDeps, watchTask } from "./tasks/watch-task.ts";
import { type WatchTasksDeps, watchTasks } from "./tasks/watch-tasks.ts";

export type RpcDeps = RunTaskDeps &
  KillTaskDeps &
  AbandonTaskDeps &
  ConfirmTaskDeps &
  RejectTaskDeps &
  GetTaskDeps &
  GetTaskPlanDeps &
  KillTasksDeps &
  DeleteTaskDeps &
  ListAppsDeps &
  WaitTaskDeps &
  WatchTaskDeps &
  WatchTasksDeps &
  ListTasksDeps &
  ReadTaskLogDeps &
  GetTaskResultDeps &
  ExportCatalogDeps &
  CatalogWarningDeps &
  AccountsDeps &
  TokensDeps &
  ListAuditEventsDeps &
  NodesDeps &
  GuardDeps &
  StandardDeps;

/**
 * The RPC layer: from a decoded request to the response or error of the contract.
 *
 * `routes` binds one handler per RPC to the server's dependencies (`deps.ts`). `tasks/` has a file per RPC of TaskService;
 * `catalog/` has ApplyCatalog, ExportCatalog and the five standard methods, which all kinds of resources share. A call first
 * passes the interceptors (`interceptors/all.ts`): request id, log, errors, validation by `rules/`. Handlers
 * therefore see only valid requests of permitted callers, and check what the database alone can tell.
 * Handlers throw a `Failure` for a caller's mistake; `errors/` turns everything thrown into an error with an ErrorInfo.
 * Streams read committed rows from the store and share the newest ones through live/. Encoded log lines are passed through
 * without decoding, except for JSON (`json/` also refuses unreadable JSON by field, without quoting secrets).
 * Protocols, connections and limits of requests are the task of http/, statuses and their changes that of store/.
 */
export function routes(deps: RpcDeps): (router: ConnectRouter) => void {
  return (router) => {
    router.service(
      TaskService,
      bound(TaskService, deps, {
        runTask,
        killTask,
        abandonTask,
        confirmTask,
        rejectTask,
        getTaskPlan,
        killTasks,
        deleteTask,
        watchTask,
        watchTasks,
        getTask,
        waitTask,
        listTasks,
        readTaskLog,
        getTaskResult,
      }),
    );
    router.service(CatalogService, bound(CatalogService, deps, { applyCatalog, exportCatalog }));
    resources(router, deps);
    router.service(AccountService, bound(AccountService, deps, accountMethods));
    router.service(AuditService, bound(AuditService, deps, { listAuditEvents }));
    router.service(NodeService, bound(NodeService, deps, nodeMethods));
    router.service(TokenService, bound(TokenService, deps, tokenMethods));
    router.service(AppService, bound(AppService, deps, { listApps }));
  };
}

/** Registers the service of each kind of resource. All have the same five methods. */
function resources({ service }: ConnectRouter, deps: StandardDeps & GuardDeps): void {
  service(
    ProjectService,
    bound(ProjectService, deps, standardMethods(ProjectService, "projects", "project")),
  );
  service(
    AccessKeyService,
    bound(AccessKeyService, deps, standardMethods(AccessKeyService, "accessKeys", "accessKey")),
  );
  service(
    RepositoryService,
    bound(RepositoryService, deps, standardMethods(RepositoryService, "repositories", "repository")),
  );
  service(
    InventoryService,
    bound(InventoryService, deps, standardMethods(InventoryService, "inventories", "inventory")),
  );
  service(
    EnvironmentService,
    bound(EnvironmentService, deps, standardMethods(EnvironmentService, "environments", "environment")),
  );
  service(
    TemplateService,
    bound(TemplateService, deps, standardMethods(TemplateService, "templates", "template")),
  );
  service(
    RoleBindingService,
    bound(RoleBindingService, deps, standardMethods(RoleBindingService, "roleBindings", "roleBinding")),
  );
}

type Handlers<Deps> = Record<string, (deps: Deps, request: never, call: Call) => unknown>;
type RequestOf<H> = H extends (deps: never, request: infer R, call: never) => unknown ? R : never;
type ResponseOf<H> = H extends (...args: never) => infer R ? R : never;

/** Returns handlers in the form that Connect calls, each behind the guard of its method. */
function bound<Deps extends GuardDeps, H extends Handlers<Deps>>(
  { method: methods, typeName }: DescService,
  deps: Deps,
  handlers: H,
): { [M in keyof H]: (request: RequestOf<H[M]>, context: HandlerContext) => ResponseOf<H[M]> } {
  const bind = (name: string, handle: Handlers<Deps>[string]) => {
    const method = methods[name];
    if (!method) throw new Error(`${typeName} has no method ${name}`);
    const guard = guarded(deps, method, (request, call) => handle(deps, request as never, call));
    return (request: never, context: HandlerContext) => guard(request, callOf(context));
  };
  return Object.fromEntries(
    Object.entries(handlers).map(([name, handle]) => [name, bind(name, handle)]),
  ) as never;
}
