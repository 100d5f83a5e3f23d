import { fromJson } from "@bufbuild/protobuf";
import { type Environment, EnvironmentSchema } from "../../gen/signalman/v1/environment_pb.ts";
import { type Repository, RepositorySchema } from "../../gen/signalman/v1/repository_pb.ts";
import { type Template, TemplateSchema } from "../../gen/signalman/v1/template_pb.ts";
import type { TemplateRows } from "../store/tasks/details.ts";

/** A template with its repository and its environment. */
export interface TemplateParts {
  template: Template;
  repository: Repository | undefined;
  environment: Environment | undefined;
}

/**
 * Turns stored rows into messages. `name`: the template's full name; the other names come from the template's
 * references.
 */
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
