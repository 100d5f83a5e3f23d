import { create, fromJson } from "@bufbuild/protobuf";
import { RunTaskRequestSchema } from "../../gen/signalman/v1/task_service_pb.ts";
import { TemplateSchema } from "../../gen/signalman/v1/template_pb.ts";
import type { NewTask } from "../store/tasks/tasks.ts";
import type { Autorun, Build } from "../store/tasks/versions.ts";
import { Failure } from "../task/errors.ts";
import { bringing, newTask } from "./new-task.ts";

/**
 * Returns the deploys that a task's success starts: the task that RunTask would create from each template without
 * further input. A template that needs input, such as a required survey answer, gets a refusal that says so.
 */
export function deploysAfter(
  build: Build,
  templates: readonly PermittedAutorun[],
): { deploys: NewTask[]; refusals: string[] } {
  const made = templates.map((template) => deployOf(build, template));
  return {
    deploys: made.filter((task) => typeof task !== "string"),
    refusals: made.filter((task) => typeof task === "string"),
  };
}

/** A template to run after a build, and whether the creator of the build may run it. */
export type PermittedAutorun = Autorun & { isPermitted: boolean };

function deployOf(build: Build, { name, spec, isPermitted }: PermittedAutorun): NewTask | string {
  if (!isPermitted)
    return `Cannot run projects/${build.project}/templates/${name} after this task: ${build.createdBy} may not run it`;
  const template = fromJson(TemplateSchema, { ...spec, name: `projects/${build.project}/templates/${name}` });
  const source = `projects/${build.project}/tasks/${build.id}`;
  const incoming = bringing(build);
  const version = incoming.incomingVersion ? ` (${incoming.incomingVersion})` : "";
  const message = `After the success of ${source}${version}`;
  try {
    const task = newTask(
      { template, environment: undefined },
      create(RunTaskRequestSchema, { template: template.name, message }),
    );
    return { ...task, ...incoming, secrets: null, createdBy: build.createdBy };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return `Cannot run ${template.name} after this task: ${error.message}`;
  }
}
