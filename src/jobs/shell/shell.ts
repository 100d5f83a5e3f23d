import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { App, BaseEnvironment } from "../app.ts";
import type { Commit } from "../job.ts";
import { pathArgument } from "../path-argument.ts";
import { detailsEnvironment, type ToldTask, typeEnvironment } from "../task-details.ts";

/** What an app's arguments and environment are made of; a part of the task's details. */
export interface ShellInput extends ToldTask {
  template: ToldTask["template"] & { path: string };
  arguments: { template: readonly string[]; task: readonly string[] };
  variables: JsonObject;
  secretVariables: Readonly<Record<string, string>>;
  env: Readonly<Record<string, string>>;
}

/**
 * The command line of a shell-like app, in the reference's order: path, the template's arguments, variables as
 * NAME=VALUE, the task's arguments. `path` is the script's, as seen from the working directory. Variables are in the order of their names; secret ones are not among them.
 */
export function shellArguments(app: App, input: ShellInput, path = input.template.path): string[] {
  const names = Object.keys(input.variables).sort();
  const variables = names.map((name) => `${name}=${render(input.variables[name] ?? null)}`);
  return [
    ...app.args,
    pathArgument(path),
    ...input.arguments.template,
    ...variables,
    ...input.arguments.task,
  ];
}

/** Text as it is; everything else as JSON. */
function render(value: JsonValue): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The whole environment of a shell-like app. Later ones win; the service's own names cannot be set by users. */
export function shellEnvironment(
  app: App,
  input: ShellInput,
  base: BaseEnvironment,
  commit: Commit,
): Record<string, string> {
  return {
    ...base,
    ...app.env,
    ...input.env,
    ...input.secretVariables,
    ...detailsEnvironment(input, commit),
    ...typeEnvironment(input),
  };
}
