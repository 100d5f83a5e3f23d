import { createHash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { type Task, TaskStatus } from "../../../gen/signalman/v1/task_pb.ts";
import {
  type RunTaskRequest,
  RunTaskRequestSchema,
  type RunTaskResponse,
  RunTaskResponseSchema,
} from "../../../gen/signalman/v1/task_service_pb.ts";
import { type Template, TemplateType } from "../../../gen/signalman/v1/template_pb.ts";
import { failpoint } from "../../async/failpoint.ts";
import type { Cipher } from "../../keys/cipher.ts";
import type { TemplateRows } from "../../store/tasks/details.ts";
import { blankTask, type NewTask, type RequestKey, type TaskView } from "../../store/tasks/tasks.ts";
import type { Build } from "../../store/tasks/versions.ts";
import { bringing, newTask } from "../../submission/new-task.ts";
import { sealSecrets } from "../../submission/seal-secrets.ts";
import { tooLarge } from "../../submission/sizes.ts";
import { templateParts } from "../../submission/template.ts";
import type { Actor, Caller } from "../../task/caller.ts";
import { msFromDuration } from "../../task/duration.ts";
import { Failure, invalid } from "../../task/errors.ts";
import type { OperatorLog } from "../../telemetry/operator-log.ts";
import { type Call, callFields } from "../call.ts";
import { parseResourceName, parseTaskName, resourceName } from "../names.ts";
import { taskMessage } from "./messages.ts";
import { type WaitForEndDeps, waitForEnd } from "./wait-task.ts";

export interface RunTaskDeps extends WaitForEndDeps {
  loadTemplate(project: string, name: string): Promise<TemplateRows>;
  /** Returns the successful build with this id, without an id the newest; undefined: there is none. */
  findBuild(of: { project: string; template: string }, id: string | undefined): Promise<Build | undefined>;
  createTask(
    task: NewTask,
    request: RequestKey | undefined,
    actor: Actor,
  ): Promise<{ task: TaskView; deduplicated: boolean }>;
  cipher: Pick<Cipher, "seal" | "hash">;
  operatorLog: Pick<OperatorLog, "step">;
  /** Called after a task was created. */
  onCreated(taskId: string): void;
}

export async function runTask(
  deps: RunTaskDeps,
  request: RunTaskRequest,
  call: Call,
): Promise<RunTaskResponse> {
  const fresh = { ...(await taskOf(deps, request)), createdBy: call.caller.name };
  if (request.validateOnly) return create(RunTaskResponseSchema, { task: taskPreview(fresh) });
  const made = await deps.createTask(fresh, requestKey(deps.cipher, request, call.caller), call.actor);
  await failpoint("after-submit");
  if (!made.deduplicated) {
    deps.operatorLog.step("created", made.task, callFields(call));
    deps.onCreated(made.task.id);
  }
  const waitMs = msFromDuration(request.wait) ?? 0;
  const task = waitMs > 0 ? await ended(deps, made.task, waitMs, call) : made.task;
  return create(RunTaskResponseSchema, { task: taskMessage(task), deduplicated: made.deduplicated });
}

/**
 * Returns the task when it has ended, as it is when the wait is over, or as it was created if the wait cannot go on. Never rejects: the task is
 * stored, and a caller that takes an error for its failure would run it twice.
 */
async function ended(deps: RunTaskDeps, task: TaskView, waitMs: number, call: Call): Promise<TaskView> {
  using observation = call.observe();
  return await waitForEnd(deps, task, waitMs, observation.signal).catch(() => task);
}

async function taskOf(deps: RunTaskDeps, request: RunTaskRequest): Promise<Omit<NewTask, "createdBy">> {
  const { project, name } = parseResourceName(request.template);
  const parts = templateParts(request.template, await deps.loadTemplate(project, name));
  const { template } = parts;
  const task = newTask(parts, request);
  const violations = tooLarge(parts, request);
  if (violations.length > 0) throw invalid(violations);
  return {
    ...task,
    ...(await incomingOf(deps, template, request.buildTask)),
    secrets: sealSecrets(deps.cipher, task, request.secretVariables),
  };
}

/** Returns the build and the version that a deploy deploys; undefined for other tasks. */
async function incomingOf(
  deps: RunTaskDeps,
  { name, type, buildTemplate }: Template,
  buildTask: string,
): Promise<ReturnType<typeof bringing> | undefined> {
  const refusal = (description: string) => invalid([{ field: "build_task", description }]);
  if (type !== TemplateType.DEPLOY || buildTemplate === "") {
    if (buildTask === "") return undefined;
    throw refusal(`only for a deploy with a build template; ${name} is none`);
  }
  const { project } = parseResourceName(name);
  const template = parseResourceName(buildTemplate).name;
  const asked = parseTaskName(buildTask);
  const isElsewhere = buildTask !== "" && asked.project !== project;
  const build = isElsewhere ? undefined : await deps.findBuild({ project, template }, asked.id || undefined);
  if (build) return bringing(build);
  if (buildTask !== "") throw refusal(`must be a successful task of ${buildTemplate}; got ${buildTask}`);
  throw new Failure("precondition", `Cannot run ${name}: no task of ${buildTemplate} has succeeded`, {
    reason: "NO_BUILD",
    resource: resourceName("templates", project, template),
  });
}

/**
 * Returns the request id and a hash of the request's canonical form, by which repeated requests are recognized: entries of maps
 * and Structs ordered by name, secret values replaced by a keyed hash, so that they cannot be guessed from the stored hash.
 */
function requestKey(
  cipher: Pick<Cipher, "hash">,
  request: RunTaskRequest,
  { kind, name }: Caller,
): RequestKey | undefined {
  if (!request.requestId) return undefined;
  const secretVariables = mapValues(request.secretVariables, (value) => cipher.hash(value).toString("hex"));
  const body = create(RunTaskRequestSchema, {
    ...request,
    requestId: "",
    wait: undefined,
    variables: request.variables && sorted(request.variables),
    secretVariables: sorted(secretVariables),
    env: sorted(request.env),
    labels: sorted(request.labels),
  });
  const bytes = toBinary(RunTaskRequestSchema, body, { writeUnknownFields: false });
  const hash = createHash("sha256").update(bytes);
  // An id belongs to its account. Callers without one share their ids, as with earlier releases.
  if (kind === "account") hash.update(name);
  return { id: request.requestId.toLowerCase(), bodyHash: hash.digest() };
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

/** Returns the message of a task that was not created, without name, times and status. */
function taskPreview(task: NewTask): Task {
  const preview = taskMessage(blankTask(task));
  preview.name = "";
  preview.createTime = undefined;
  preview.status = TaskStatus.UNSPECIFIED;
  return preview;
}
