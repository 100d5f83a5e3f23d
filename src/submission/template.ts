import { fromJson } from "@bufbuild/protobuf";
import { type Environment, EnvironmentSchema } from "../../gen/signalman/v1/environment_pb.ts";
import { type Repository, RepositorySchema } from "../../gen/signalman/v1/repository_pb.ts";
import { type Template, TemplateSchema } from "../../gen/signalman/v1/template_pb.ts";
import type { TemplateRows } from "../store/tasks/details.ts";

/** A template with what it names. */
export interface TemplateParts {
  template: Template;
  repository: Repository | undefined;
  environment: Environment | undefined;
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
