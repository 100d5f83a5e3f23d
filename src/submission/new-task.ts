import type { RunTaskRequest } from "../../gen/signalman/v1/task_service_pb.ts";
import { type Template, TemplateType } from "../../gen/signalman/v1/template_pb.ts";
import type { NewTask } from "../store/tasks/tasks.ts";
import type { Build } from "../store/tasks/versions.ts";
import { msFromDuration } from "../task/duration.ts";
import { invalid } from "../task/errors.ts";
import { withTextAnswers } from "./answers.ts";
import { checkAsked } from "./overrides.ts";
import { storedParams } from "./params.ts";

const DEFAULT_PRIORITY = 50;

/**
 * The task that a request makes of its template, but for secret values and what it deploys.
 * @throws Failure invalid, by field of the request, if the template does not allow it.
 */
export function newTask(template: Template, request: RunTaskRequest): Omit<NewTask, "secrets" | "createdBy"> {
  const variables = withTextAnswers(template.survey, request.variables ?? {});
  const violations = checkAsked(template, { ...request, variables });
  if (violations.length > 0) throw invalid(violations);
  const [, project = "", , name = ""] = template.name.split("/");
  const timeout = (field: "queueTimeout" | "runTimeout" | "idleTimeout" | "confirmTimeout") =>
    msFromDuration(request[field] ?? template[field]);
  return {
    project,
    template: name,
    app: template.app,
    priority: request.priority ?? DEFAULT_PRIORITY,
    labels: request.labels,
    startVersion: template.type === TemplateType.BUILD ? template.startVersion : "",
    spec: {
      message: request.message,
      variables,
      secretNames: Object.keys(request.secretVariables).sort(),
      env: request.env,
      arguments: request.arguments,
      gitBranch: request.gitBranch,
      commit: request.commit,
      queueTimeoutMs: timeout("queueTimeout"),
      runTimeoutMs: timeout("runTimeout"),
      idleTimeoutMs: timeout("idleTimeout"),
      confirmTimeoutMs: timeout("confirmTimeout"),
      inventory: request.inventory.split("/").at(-1) || undefined,
      ...storedParams(request.params),
    },
  };
}

/** A deploy of a build. What deploys a deploy brings the same version, so that versions pass through chains of them. */
export function bringing(build: Build): Pick<NewTask, "buildTask" | "incomingVersion"> {
  return { buildTask: build.id, incomingVersion: build.version || build.incomingVersion };
}
