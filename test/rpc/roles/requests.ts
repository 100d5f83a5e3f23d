import { create, type DescMethod, type DescService } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { AccessKeyService } from "../../../gen/signalman/v1/access_key_pb.ts";
import { AccountService } from "../../../gen/signalman/v1/account_pb.ts";
import { AppService } from "../../../gen/signalman/v1/app_service_pb.ts";
import { AuditService } from "../../../gen/signalman/v1/audit_pb.ts";
import { CatalogService } from "../../../gen/signalman/v1/catalog_service_pb.ts";
import { EnvironmentService } from "../../../gen/signalman/v1/environment_pb.ts";
import { InventoryService } from "../../../gen/signalman/v1/inventory_pb.ts";
import { NodeService } from "../../../gen/signalman/v1/node_pb.ts";
import { ProjectService } from "../../../gen/signalman/v1/project_pb.ts";
import { RepositoryService } from "../../../gen/signalman/v1/repository_pb.ts";
import { RoleBindingService } from "../../../gen/signalman/v1/role_binding_pb.ts";
import { TaskService } from "../../../gen/signalman/v1/task_service_pb.ts";
import { TemplateService } from "../../../gen/signalman/v1/template_pb.ts";
import { TokenService } from "../../../gen/signalman/v1/token_pb.ts";
import { ANONYMOUS, type Caller } from "../../../src/task/caller.ts";
import type { InMemoryApi } from "../../support/in-memory.ts";
import { openSql } from "../support.ts";
import { ORACLE, type Target, type Verdict } from "./oracle.ts";

export const SERVICES = [
  TaskService,
  CatalogService,
  ProjectService,
  AccessKeyService,
  RepositoryService,
  InventoryService,
  EnvironmentService,
  TemplateService,
  RoleBindingService,
  AccountService,
  TokenService,
  AuditService,
  NodeService,
  AppService,
];

export const PROJECTS = ["p", "q"];
export const TEMPLATES = ["t", "u"];
/** Collections of the methods' resources, by the name of the service. */
const COLLECTIONS: Record<string, string> = {
  AccessKeyService: "accessKeys",
  RepositoryService: "repositories",
  InventoryService: "inventories",
  EnvironmentService: "environments",
  TemplateService: "templates",
  RoleBindingService: "roleBindings",
};
/** A node that gives signs of life, so that ForgetNode refuses to remove it. */
const RUNNING_NODE = "01a20a8f-a03f-4f1e-aba5-29fd1ad73196";
/** An etag that no resource has: a permitted change is refused after the authorization, and changes nothing. */
const STALE = '"0-stale"';

export interface World {
  /** Name of each task, by its project, its template and its creator. */
  tasks: { name: string; project: string; template: string; createdBy: string }[];
}

/** Fills a database with two projects of two templates, each with a task of root and one of `accounts/me`. */
export async function makeWorld(api: InMemoryApi): Promise<World> {
  const tasks: World["tasks"] = [];
  const me: Caller = { ...ANONYMOUS, name: "accounts/me" };
  await api.client(AccountService).createAccount({ accountId: "ci", account: {} });
  await api.client(TokenService).createToken({ parent: "accounts/ci", tokenId: "x" });
  for (const project of PROJECTS) {
    await api.client(CatalogService).applyCatalog({
      catalog: {
        project: { name: project },
        accessKeys: [{ name: "x", kind: { case: "text", value: { value: "secret" } } }],
        repositories: [{ name: "x", url: "/" }],
        inventories: [{ name: "x", source: { case: "ini", value: "" } }],
        environments: [{ name: "x" }],
        templates: TEMPLATES.map((name) => ({ name, app: "sh", repository: "x", path: "x" })),
        roleBindings: [{ name: "x", account: "ci", roles: [1] }],
      },
    });
    for (const name of TEMPLATES)
      for (const by of [ANONYMOUS, me]) {
        const template = `projects/${project}/templates/${name}`;
        const { task } = await api.as(by)(TaskService).runTask({ template });
        tasks.push({ name: task?.name ?? "", project, template: name, createdBy: by.name });
      }
  }
  // Running tasks of a node that is away: a kill request is stored, and neither ends them nor lets them be deleted.
  const sql = openSql(api);
  await sql`
    INSERT INTO nodes (id, host_name, address, version, roles, tags, slots, problem, start_time, heartbeat_time)
    VALUES (${RUNNING_NODE}, 'here', '', '', '[]', '[]', 1, '', now(), now() + interval '1 day')`;
  await sql`UPDATE tasks SET status = 'RUNNING', node = gen_random_uuid(), lease_expires = now() + interval '1 day'`;
  await sql.end();
  return { tasks };
}

export interface Case {
  method: DescMethod;
  target: Target;
  request: Record<string, unknown>;
}

/** Returns requests of a method on every target. A permitted request changes nothing that another case needs. */
export function casesOf(method: DescMethod, { tasks }: World): Case[] {
  const { kind } = ORACLE[method.localName] ?? {};
  const field = method.input.fields.find(
    ({ name, fieldKind }) => fieldKind === "message" && name !== "catalog",
  );
  const isUpdate = method.localName.startsWith("update");
  const collection = COLLECTIONS[method.parent.name] ?? "";
  const named = (name: string): Record<string, unknown> =>
    isUpdate && field ? { [field.localName]: { name, etag: STALE } } : { name, etag: STALE };
  const one = (target: Target, request: Record<string, unknown>): Case => ({
    method,
    target,
    request: { ...request, ...EXTRA[method.localName] },
  });
  switch (kind) {
    case "everything":
      return [one({}, creation(method, "p"))];
    case "account":
      return [one({}, { ...named("accounts/ci"), parent: "accounts/ci" })];
    case "node":
      return [one({}, named(`nodes/${RUNNING_NODE}`))];
    case "project":
      return PROJECTS.map((project) =>
        one({ project }, { ...named(`projects/${project}`), ...creation(method, project) }),
      );
    case "template":
      return PROJECTS.flatMap((project) =>
        TEMPLATES.map((template) => {
          const name = `projects/${project}/templates/${template}`;
          return one(
            { project, template },
            { ...named(name), template: isUpdate ? named(name).template : name },
          );
        }),
      );
    case "task":
      return tasks.map(({ name, ...target }) => one(target, { name }));
    case "list":
      if (OF_EVERYTHING.includes(method.parent)) return [one({}, {})];
      return [
        ...PROJECTS.map((project) => one({ project }, { parent: `projects/${project}` })),
        ...(method.parent === TaskService ? [one({}, { parent: "projects/-" })] : []),
      ];
    default:
      return PROJECTS.map((project) => one({ project }, named(`projects/${project}/${collection}/x`)));
  }
}

/** Services whose lists have no parent. */
const OF_EVERYTHING: readonly DescService[] = [ProjectService, AuditService, AppService];

/** Fields that a method requires, or that keep a permitted call from changing anything. */
const EXTRA: Record<string, Record<string, unknown>> = {
  runTask: { validateOnly: true },
  confirmTask: { planDigest: "0".repeat(64) },
  watchTask: { follow: false },
  waitTask: { timeout: { seconds: 0n } },
  createToken: { tokenId: "x" },
  createAccount: { accountId: "ci", account: {} },
  revokeToken: { name: "accounts/ci/tokens/x" },
};

function creation(method: DescMethod, project: string): Record<string, unknown> {
  if (method.localName === "applyCatalog")
    return { catalog: { project: { name: project } }, validateOnly: true };
  if (!method.localName.startsWith("create")) return {};
  const field = method.input.fields.find(({ fieldKind }) => fieldKind === "message");
  const id = method.input.fields.find(({ name }) => name.endsWith("_id"));
  const right: Record<string, Record<string, unknown>> = {
    repository: { url: "/" },
    inventory: { source: { case: "ini", value: "" } },
    template: { app: "sh", repository: "x", path: "x" },
    roleBinding: { account: "accounts/ci", roles: [1] },
  };
  const last =
    method.localName === "createProject" ? project : method.localName === "createTemplate" ? "t" : "x";
  return {
    parent: `projects/${project}`,
    ...(id && { [id.localName]: last }),
    ...(field && { [field.localName]: right[field.localName] ?? {} }),
  };
}

/** Makes a call and tells how the server decided on it. Of a stream it reads the first message. */
export async function decisionOn(
  api: InMemoryApi,
  caller: Caller,
  { method, request }: Case,
): Promise<Verdict> {
  const client = api.as(caller)(method.parent) as Record<string, (request: unknown) => unknown>;
  const answer = client[method.localName]?.(create(method.input, request as never));
  try {
    if (method.methodKind === "server_streaming")
      for await (const _ of answer as AsyncIterable<unknown>) break;
    else await answer;
    return "allowed";
  } catch (error) {
    const { code, rawMessage } = ConnectError.from(error);
    if (code === Code.PermissionDenied) return "denied";
    if (code === Code.NotFound) return rawMessage.startsWith("There is no plan of") ? "allowed" : "hidden";
    if (REFUSED_LATER.has(code)) return "allowed";
    throw new Error(`${method.name}: ${rawMessage}`, { cause: error });
  }
}

/** Codes by which a permitted call is refused after the authorization. */
const REFUSED_LATER = new Set([Code.Aborted, Code.AlreadyExists, Code.FailedPrecondition]);
