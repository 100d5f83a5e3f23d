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
import { type ApplyCatalogDeps, applyCatalog } from "./apply-catalog.ts";
import { type GetTaskResultDeps, getTaskResult } from "./get-task-result.ts";
import { type KillTaskDeps, killTask } from "./kill-task.ts";
import { type ListAppsDeps, listApps } from "./list-apps.ts";
import { type ListTasksDeps, listTasks } from "./list-tasks.ts";
import { taskMessage } from "./messages.ts";
import { parseTaskName } from "./names.ts";
import { type ReadTaskLogDeps, readTaskLog } from "./read-task-log.ts";
import { type ReadResourcesDeps, resourceReader } from "./resources/read.ts";
import { type RunTaskDeps, runTask } from "./run-task.ts";
import { type WatchTaskDeps, watchTask } from "./watch-task.ts";

export type RpcDeps = RunTaskDeps &
  KillTaskDeps &
  ListAppsDeps &
  WatchTaskDeps &
  ListTasksDeps &
  ReadTaskLogDeps &
  GetTaskResultDeps &
  ApplyCatalogDeps &
  ReadResourcesDeps;

/** Every RPC of the contract, each in a file of its own. */
export function routes(deps: RpcDeps): (router: ConnectRouter) => void {
  return (router) => {
    router.service(TaskService, {
      runTask: (request) => runTask(deps, request),
      killTask: (request) => killTask(deps, request),
      watchTask: (request, context) =>
        watchTask(deps, request, { signal: context.signal, isJson: isJson(context) }),
      getTask: async (request) => ({ task: taskMessage(await deps.getTask(parseTaskName(request.name))) }),
      listTasks: (request) => listTasks(deps, request),
      readTaskLog: (request) => readTaskLog(deps, request),
      getTaskResult: (request) => getTaskResult(deps, request),
    });
    router.service(CatalogService, { applyCatalog: (request) => applyCatalog(deps, request) });
    readers(router, deps);
    router.service(AppService, { listApps: () => listApps(deps) });
  };
}

function readers(router: ConnectRouter, deps: ReadResourcesDeps): void {
  const projects = resourceReader(deps, "projects");
  const repositories = resourceReader(deps, "repositories");
  const environments = resourceReader(deps, "environments");
  const templates = resourceReader(deps, "templates");
  const inventories = resourceReader(deps, "inventories");
  const accessKeys = resourceReader(deps, "accessKeys");
  router.service(ProjectService, {
    getProject: async (request) => ({ project: await projects.get(request) }),
    listProjects: async (request) => renamed("projects", await projects.list(request)),
  });
  router.service(RepositoryService, {
    getRepository: async (request) => ({ repository: await repositories.get(request) }),
    listRepositories: async (request) => renamed("repositories", await repositories.list(request)),
  });
  router.service(EnvironmentService, {
    getEnvironment: async (request) => ({ environment: await environments.get(request) }),
    listEnvironments: async (request) => renamed("environments", await environments.list(request)),
  });
  router.service(TemplateService, {
    getTemplate: async (request) => ({ template: await templates.get(request) }),
    listTemplates: async (request) => renamed("templates", await templates.list(request)),
  });
  router.service(InventoryService, {
    getInventory: async (request) => ({ inventory: await inventories.get(request) }),
    listInventories: async (request) => renamed("inventories", await inventories.list(request)),
  });
  router.service(AccessKeyService, {
    getAccessKey: async (request) => ({ accessKey: await accessKeys.get(request) }),
    listAccessKeys: async (request) => renamed("accessKeys", await accessKeys.list(request)),
  });
}

/** The contract names a list after its kind. */
function renamed<K extends string, T>(
  kind: K,
  { resources, nextPageToken }: { resources: T[]; nextPageToken: string },
) {
  return { [kind]: resources, nextPageToken } as Record<K, T[]> & { nextPageToken: string };
}

/** Only the codec's name tells: `application/json`, `application/connect+json`, `application/grpc-web+json`. */
function isJson(context: HandlerContext): boolean {
  return /[+/]json\b/.test(context.requestHeader.get("content-type") ?? "");
}
