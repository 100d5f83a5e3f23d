import net, { type Socket } from "node:net";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
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
import {
  TaskService,
  type WatchTaskRequestSchema,
  type WatchTaskResponse,
  type WatchTasksRequestSchema,
  type WatchTasksResponse,
} from "../../gen/signalman/v1/task_service_pb.ts";
import { TemplateService } from "../../gen/signalman/v1/template_pb.ts";
import { TokenService } from "../../gen/signalman/v1/token_pb.ts";
import { lostIsUnavailable } from "./lost-connections.ts";
import type { ReconnectOptions } from "./reconnect.ts";
import { serverUrl, socketPathOf } from "./server-url.ts";
import { Sessions } from "./sessions.ts";
import { type WatchOptions, watchTask } from "./watch.ts";
import { watchTasks } from "./watch-tasks.ts";

/*
 * The client library for programs in TypeScript, exported as `signalman/client`, and the base of the command line.
 *
 * connectSignalman makes one typed client for each service of the contract, over one HTTP/2 connection that is opened when it
 * is needed and again after it broke (sessions.ts). `watch` and `watchTasks` read streams that survive broken connections:
 * silence.ts finds a dead stream by its missing heartbeats, reconnect.ts waits with exponential backoff, transient-errors.ts
 * says which errors are worth a retry, and the resume token continues the stream, so that each event comes once and in order.
 *
 * Calls other than watches are not retried: the caller decides, for RunTask with the same `request_id`. The room imports
 * nothing of the server, only the generated code.
 */

export interface ConnectOptions {
  /**
   * `HOST:PORT` or `http://HOST:PORT`: gRPC over HTTP/2 without TLS; `https://…`: with TLS; `unix:/PATH`: over a unix socket.
   * Default: 127.0.0.1:8480.
   */
  server?: string;
  /** For `https://…`: certificates (PEM) of the authorities that may vouch for the server. Default: those that Node knows. */
  ca?: string | Buffer;
  /** Opens a connection in place of TCP to a server without TLS; undefined: TCP. */
  dial?: () => Socket | undefined;
  /** Bearer token, sent with every call. */
  token?: string;
}

/** A client for each service, over one connection that is opened when it is first needed and again after it broke. */
export interface Signalman extends Disposable {
  /** Base URL of the server: `http://host:port`. */
  readonly url: string;
  readonly tasks: Client<typeof TaskService>;
  readonly catalog: Client<typeof CatalogService>;
  readonly projects: Client<typeof ProjectService>;
  readonly repositories: Client<typeof RepositoryService>;
  readonly environments: Client<typeof EnvironmentService>;
  readonly templates: Client<typeof TemplateService>;
  readonly inventories: Client<typeof InventoryService>;
  readonly accessKeys: Client<typeof AccessKeyService>;
  readonly roleBindings: Client<typeof RoleBindingService>;
  readonly accounts: Client<typeof AccountService>;
  readonly tokens: Client<typeof TokenService>;
  readonly nodes: Client<typeof NodeService>;
  readonly audit: Client<typeof AuditService>;
  readonly apps: Client<typeof AppService>;
  /** All events of a task, each once, across broken connections. See `watchTask`. */
  watch(
    request: MessageInitShape<typeof WatchTaskRequestSchema>,
    options?: WatchOptions,
  ): AsyncGenerator<WatchTaskResponse>;
  /** The changes of many tasks, each once, across broken connections. See `watchTasks`. */
  watchTasks(
    request: MessageInitShape<typeof WatchTasksRequestSchema>,
    options?: ReconnectOptions,
  ): AsyncGenerator<WatchTasksResponse>;
  /** Opens the connection now. @throws ConnectError with UNAVAILABLE if the server cannot be reached */
  connect(): Promise<void>;
  /** Closes the connection and aborts the calls on it. An idle connection does not keep the process alive. */
  [Symbol.dispose](): void;
}

export const DEFAULT_SERVER = "127.0.0.1:8480";

/** Returns the clients; no connection is made yet. @throws TypeError if `server` or `token` is malformed */
export function connectSignalman({
  server = DEFAULT_SERVER,
  token,
  ca,
  dial,
}: ConnectOptions = {}): Signalman {
  const url = serverUrl(server);
  const path = socketPathOf(server);
  const sessionManager = new Sessions(url, { ca, dial: path === undefined ? dial : () => net.connect(path) });
  const interceptors = [lostIsUnavailable, ...(token === undefined ? [] : [bearer(token)])];
  const transport = createGrpcTransport({ baseUrl: url, sessionManager, interceptors });
  const tasks = createClient(TaskService, transport);
  return {
    url,
    tasks,
    catalog: createClient(CatalogService, transport),
    projects: createClient(ProjectService, transport),
    repositories: createClient(RepositoryService, transport),
    environments: createClient(EnvironmentService, transport),
    templates: createClient(TemplateService, transport),
    inventories: createClient(InventoryService, transport),
    accessKeys: createClient(AccessKeyService, transport),
    roleBindings: createClient(RoleBindingService, transport),
    accounts: createClient(AccountService, transport),
    tokens: createClient(TokenService, transport),
    nodes: createClient(NodeService, transport),
    audit: createClient(AuditService, transport),
    apps: createClient(AppService, transport),
    watch: (request, options) => watchTask(tasks, request, options),
    watchTasks: (request, options) => watchTasks(tasks, request, options),
    async connect() {
      if ((await sessionManager.connect()) !== "error") return;
      throw ConnectError.from(sessionManager.error(), Code.Unavailable);
    },
    [Symbol.dispose]: () => sessionManager.abort(),
  };
}

/** Sends a bearer token (RFC 6750). @throws TypeError that does not repeat the token */
function bearer(token: string): Interceptor {
  if (!/^[\x21-\x7e]+$/.test(token)) throw new TypeError("the token must be visible ASCII without blanks");
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
}
