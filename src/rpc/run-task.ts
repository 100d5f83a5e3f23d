import { createHash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { type Task, TaskStatus } from "../../gen/signalman/v1/task_pb.ts";
import {
  type RunTaskRequest,
  RunTaskRequestSchema,
  type RunTaskResponse,
  RunTaskResponseSchema,
} from "../../gen/signalman/v1/task_service_pb.ts";
import type { Cipher } from "../keys/cipher.ts";
import { templateParts } from "../runner/details.ts";
import { checkAsked } from "../runner/overrides.ts";
import { storedParams } from "../runner/params.ts";
import { sealSecrets } from "../runner/secrets.ts";
import type { TemplateRows } from "../store/details.ts";
import { blankTask, type NewTask, type RequestKey, type TaskView } from "../store/tasks.ts";
import { invalid } from "../task/errors.ts";
import { msFromDuration, taskMessage } from "./messages.ts";
import { parseResourceName } from "./names.ts";

export interface RunTaskDeps {
  loadTemplate(project: string, name: string): Promise<TemplateRows>;
  createTask(
    task: NewTask,
    request: RequestKey | undefined,
  ): Promise<{ task: TaskView; deduplicated: boolean }>;
  cipher: Pick<Cipher, "seal" | "hash">;
  /** A task was created. */
  onCreated(taskId: string): void;
}

const DEFAULT_PRIORITY = 50;

export async function runTask(deps: RunTaskDeps, request: RunTaskRequest): Promise<RunTaskResponse> {
  const task = newTask(deps, request, await loadChecked(deps, request));
  if (request.validateOnly) return create(RunTaskResponseSchema, { task: taskPreview(task) });
  const made = await deps.createTask(task, requestKey(deps.cipher, request));
  if (!made.deduplicated) deps.onCreated(made.task.id);
  return create(RunTaskResponseSchema, { task: taskMessage(made.task), deduplicated: made.deduplicated });
}

/** The template, if it allows what is asked for. */
async function loadChecked(deps: RunTaskDeps, request: RunTaskRequest) {
  const { project, name } = parseResourceName(request.template);
  const { template } = templateParts(request.template, await deps.loadTemplate(project, name));
  const violations = checkAsked(template, { ...request, variables: request.variables ?? {} });
  if (violations.length > 0) throw invalid(violations);
  return template;
}

function newTask(
  deps: RunTaskDeps,
  request: RunTaskRequest,
  template: Awaited<ReturnType<typeof loadChecked>>,
): NewTask {
  const { project, name } = parseResourceName(request.template);
  const timeout = (field: "queueTimeout" | "runTimeout" | "idleTimeout" | "confirmTimeout") =>
    msFromDuration(request[field] ?? template[field]);
  return {
    project,
    template: name,
    app: template.app,
    priority: request.priority ?? DEFAULT_PRIORITY,
    labels: request.labels,
    secrets: sealSecrets(deps.cipher, { project, template: name }, request.secretVariables),
    spec: {
      message: request.message,
      variables: request.variables ?? {},
      secretNames: Object.keys(request.secretVariables).sort(),
      env: request.env,
      arguments: request.arguments,
      gitBranch: request.gitBranch,
      commit: request.commit,
      queueTimeoutMs: timeout("queueTimeout"),
      runTimeoutMs: timeout("runTimeout"),
      idleTimeoutMs: timeout("idleTimeout"),
      confirmTimeoutMs: timeout("confirmTimeout"),
      inventory: parseResourceName(request.inventory).name || undefined,
      ...storedParams(request.params),
    },
  };
}

/**
 * The body is compared by a hash of its canonical form: maps and structs in the order of their names, secret values
 * under a keyed hash, so that nobody can guess them from what is stored.
 */
function requestKey(cipher: Pick<Cipher, "hash">, request: RunTaskRequest): RequestKey | undefined {
  if (!request.requestId) return undefined;
  const secretVariables = mapValues(request.secretVariables, (value) => cipher.hash(value).toString("hex"));
  const body = create(RunTaskRequestSchema, {
    ...request,
    requestId: "",
    variables: request.variables && sorted(request.variables),
    secretVariables: sorted(secretVariables),
    env: sorted(request.env),
    labels: sorted(request.labels),
  });
  const bytes = toBinary(RunTaskRequestSchema, body, { writeUnknownFields: false });
  return { id: request.requestId.toLowerCase(), bodyHash: createHash("sha256").update(bytes).digest() };
}

function mapValues(
  record: Record<string, string>,
  change: (value: string) => string,
): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}

function sorted<T>(value: T): T {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(sorted) as T;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)])) as T;
}

/** What the task would be; it has no name, no times and no status yet. */
function taskPreview(task: NewTask): Task {
  const preview = taskMessage(blankTask(task));
  preview.name = "";
  preview.createTime = undefined;
  preview.status = TaskStatus.UNSPECIFIED;
  return preview;
}
