import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { AccessKeyService } from "../../gen/signalman/v1/access_key_pb.ts";
import { AppService } from "../../gen/signalman/v1/app_service_pb.ts";
import { CatalogService } from "../../gen/signalman/v1/catalog_service_pb.ts";
import { EnvironmentService } from "../../gen/signalman/v1/environment_pb.ts";
import { InventoryService } from "../../gen/signalman/v1/inventory_pb.ts";
import { ProjectService } from "../../gen/signalman/v1/project_pb.ts";
import { RepositoryService } from "../../gen/signalman/v1/repository_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { TemplateService } from "../../gen/signalman/v1/template_pb.ts";
import { applyCatalog } from "./catalog/apply-catalog.ts";
import { type ExportCatalogDeps, exportCatalog } from "./catalog/export-catalog.ts";
import { type StandardDeps, standardMethods } from "./catalog/methods.ts";
import { type ListAppsDeps, listApps } from "./list-apps.ts";
import { parseTaskName } from "./names.ts";
import { type ConfirmTaskDeps, confirmTask } from "./tasks/confirm-task.ts";
import { type DeleteTaskDeps, deleteTask } from "./tasks/delete-task.ts";
import { type GetTaskPlanDeps, getTaskPlan } from "./tasks/get-task-plan.ts";
import { type GetTaskResultDeps, getTaskResult } from "./tasks/get-task-result.ts";
import { type KillTaskDeps, killTask } from "./tasks/kill-task.ts";
import { type KillTasksDeps, killTasks } from "./tasks/kill-tasks.ts";
import { type ListTasksDeps, listTasks } from "./tasks/list-tasks.ts";
import { taskMessage } from "./tasks/messages.ts";
import { type ReadTaskLogDeps, readTaskLog } from "./tasks/read-task-log.ts";
import { type RejectTaskDeps, rejectTask } from "./tasks/reject-task.ts";
import { type RunTaskDeps, runTask } from "./tasks/run-task.ts";
import { type WatchTaskDeps, watchTask } from "./tasks/watch-task.ts";
import { type WatchTasksDeps, watchTasks } from "./tasks/watch-tasks.ts";

export type RpcDeps = RunTaskDeps &
  KillTaskDeps &
  ConfirmTaskDeps &
  RejectTaskDeps &
  GetTaskPlanDeps &
  KillTasksDeps &
  DeleteTaskDeps &
  ListAppsDeps &
  WatchTaskDeps &
  WatchTasksDeps &
  ListTasksDeps &
  ReadTaskLogDeps &
  GetTaskResultDeps &
  ExportCatalogDeps &
  StandardDeps;

/** Every RPC of the contract, each in a file of its own. */
export function routes(deps: RpcDeps): (router: ConnectRouter) => void {
  return (router) => {
    router.service(TaskService, {
      runTask: (request) => runTask(deps, request),
      killTask: (request) => killTask(deps, request),
      confirmTask: (request) => confirmTask(deps, request),
      rejectTask: (request) => rejectTask(deps, request),
      getTaskPlan: (request) => getTaskPlan(deps, request),
      killTasks: (request) => killTasks(deps, request),
      deleteTask: (request) => deleteTask(deps, request),
      watchTask: (request, context) =>
        watchTask(deps, request, { signal: context.signal, isJson: isJson(context) }),
      watchTasks: (request, context) =>
        watchTasks(deps, request, { signal: context.signal, isJson: isJson(context) }),
      getTask: async (request) => ({ task: taskMessage(await deps.getTask(parseTaskName(request.name))) }),
      listTasks: (request) => listTasks(deps, request),
      readTaskLog: (request) => readTaskLog(deps, request),
      getTaskResult: (request) => getTaskResult(deps, request),
    });
    router.service(CatalogService, {
      applyCatalog: (request) => applyCatalog(deps, request),
      exportCatalog: (request) => exportCatalog(deps, request),
    });
    resources(router, deps);
    router.service(AppService, { listApps: () => listApps(deps) });
  };
}

/** The kinds of a catalog, each with its service: all have the same methods. */
function resources({ service }: ConnectRouter, deps: StandardDeps): void {
  service(ProjectService, standardMethods(deps, ProjectService, "projects", "project"));
  service(AccessKeyService, standardMethods(deps, AccessKeyService, "accessKeys", "accessKey"));
  service(RepositoryService, standardMethods(deps, RepositoryService, "repositories", "repository"));
  service(InventoryService, standardMethods(deps, InventoryService, "inventories", "inventory"));
  service(EnvironmentService, standardMethods(deps, EnvironmentService, "environments", "environment"));
  service(TemplateService, standardMethods(deps, TemplateService, "templates", "template"));
}

/** Only the codec's name tells: `application/json`, `application/connect+json`, `application/grpc-web+json`. */
function isJson(context: HandlerContext): boolean {
  return /[+/]json\b/.test(context.requestHeader.get("content-type") ?? "");
}
