/*
 * The room submission/ turns a request into a task. `newTask` (this file) checks a RunTaskRequest against its template
 * and merges both into the record that the store inserts. overrides.ts decides which fields the template lets its tasks
 * set, and checks the answers to its survey; answers.ts and params.ts bring them into their stored form. caller-names.ts
 * decides which variables and environment variables a caller may set, and outdated-names.ts finds names that stored
 * templates have and new ones cannot have. sizes.ts refuses arguments and variables that the operating system would refuse
 * when the program is started. autorun.ts creates the deploys that start after a success. seal-secrets.ts encrypts secret
 * variables, and template.ts reads stored templates.
 *
 * The room only computes: rpc/ and runner/ load the rows and store the tasks. The runner checks a task by the same
 * rules again before it runs, since its template may have been changed meanwhile.
 */

import type { RunTaskRequest } from "../../gen/signalman/v1/task_service_pb.ts";
import { TemplateType } from "../../gen/signalman/v1/template_pb.ts";
import type { NewTask } from "../store/tasks/tasks.ts";
import type { Build } from "../store/tasks/versions.ts";
import { msFromDuration } from "../task/duration.ts";
import { invalid } from "../task/errors.ts";
import { withTextAnswers } from "./answers.ts";
import { checkAsked } from "./overrides.ts";
import { storedParams } from "./params.ts";
import type { TemplateParts } from "./template.ts";

const DEFAULT_PRIORITY = 50;

/**
 * Returns the task that a request creates from its template, without secret values and without the build that it
 * deploys.
 * @throws Failure of kind `invalid` that names the fields of the request which the template does not allow.
 */
export function newTask(
  { template, environment }: Pick<TemplateParts, "template" | "environment">,
  request: RunTaskRequest,
): Omit<NewTask, "secrets" | "createdBy"> {
  const variables = withTextAnswers(template.survey, request.variables ?? {});
  const violations = checkAsked({ template, environment }, { ...request, variables });
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
      ...(template.confirmByOther && { confirmByOther: true }),
    },
  };
}

/**
 * Returns the fields that make a task a deploy of a build. If `build` is a deploy itself, its version is passed on, so
 * that a version passes through chains of deploys.
 */
export function bringing(build: Build): Pick<NewTask, "buildTask" | "incomingVersion"> {
  return { buildTask: build.id, incomingVersion: build.version || build.incomingVersion };
}
