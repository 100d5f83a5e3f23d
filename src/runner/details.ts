import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { type Environment, EnvironmentSchema } from "../../gen/signalman/v1/environment_pb.ts";
import { type Repository, RepositorySchema } from "../../gen/signalman/v1/repository_pb.ts";
import { type Template, TemplateSchema } from "../../gen/signalman/v1/template_pb.ts";
import type { TemplateRows } from "../store/details.ts";
import { PrepareError } from "../task/errors.ts";
import type { TaskRecord } from "../task/types.ts";
import { checkAsked, surveyDefaults } from "./overrides.ts";
import { paramsOf } from "./params.ts";

/** A template with what it names. */
export interface TemplateParts {
  template: Template;
  repository: Repository | undefined;
  environment: Environment | undefined;
}

/** All that a job needs to know of a task: the template's settings with the task's laid over them. */
export interface TaskDetails {
  /** UUID. */
  id: string;
  template: Template;
  repository: Repository;
  message: string;
  /** Before the variables, and behind them. */
  arguments: { template: string[]; task: string[] };
  variables: JsonObject;
  secretVariables: Record<string, string>;
  env: Record<string, string>;
  /** Empty: the one that the repository has checked out. */
  gitBranch: string;
  /** Empty: the tip of the branch. */
  commit: string;
  /** What it builds, and what it brings somewhere; empty: nothing that has a version. */
  version: string;
  incomingVersion: string;
}

/** Stored resources as messages. `name` gets the template's full name, the others theirs from its references. */
export function templateParts(name: string, rows: TemplateRows): TemplateParts {
  const template = fromJson(TemplateSchema, { ...rows.template, name });
  const { repository, environment } = rows;
  return {
    template,
    repository: repository
      ? fromJson(RepositorySchema, { ...repository, name: template.repository })
      : undefined,
    environment: environment
      ? fromJson(EnvironmentSchema, { ...environment, name: template.environment })
      : undefined,
  };
}

/**
 * populateDetails: template, repository and environment, and the task's own settings over them. Of variables and
 * process environment the later wins: environment, template, defaults of the survey, task.
 * @throws PrepareError if the template is gone or no longer allows what the task asks for.
 */
export function populateDetails(
  task: Pick<TaskRecord, "id" | "project" | "template" | "spec" | "version" | "incomingVersion">,
  rows: TemplateRows | null,
  secretVariables: Record<string, string>,
): TaskDetails {
  const name = `projects/${task.project}/templates/${task.template}`;
  if (!rows) throw new PrepareError(`Cannot run ${name}: it has been deleted since the task was created`);
  const { template, repository, environment } = templateParts(name, rows);
  if (!repository) throw new PrepareError(`Cannot run ${name}: it names no repository`);
  const inventory = task.spec.inventory ? `projects/${task.project}/inventories/${task.spec.inventory}` : "";
  const asked = { ...task.spec, secretVariables, inventory, params: paramsOf(task.spec) };
  const [violation] = checkAsked(template, asked);
  if (violation) {
    throw new PrepareError(
      `Cannot run ${name}: it was changed since the task was created, and now ${violation.field} ${violation.description}`,
    );
  }
  return {
    id: task.id,
    template,
    repository,
    message: task.spec.message,
    arguments: { template: template.arguments, task: task.spec.arguments },
    variables: without(secretVariables, {
      ...environment?.variables,
      ...template.variables,
      ...surveyDefaults(template, asked),
      ...task.spec.variables,
    }),
    secretVariables,
    env: { ...environment?.env, ...template.env, ...task.spec.env },
    gitBranch: task.spec.gitBranch || template.gitBranch || repository.gitBranch,
    commit: task.spec.commit,
    version: task.version,
    incomingVersion: task.incomingVersion,
  };
}

/** A secret takes the place of an open variable of the same name. */
function without(secrets: Record<string, string>, variables: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(variables).filter(([name]) => !Object.hasOwn(secrets, name)));
}
