import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { PrepareError } from "../../../task/errors.ts";
import type { App, BaseEnvironment } from "../../apps/app.ts";
import type { Commit } from "../../job.ts";
import { pathArgument } from "../path-argument.ts";
import { detailsEnvironment, type ToldTask, typeEnvironment } from "../task-details.ts";

/** Inputs for a shell-like app's arguments and environment; a part of the task's details. */
export interface ShellInput extends ToldTask {
  template: ToldTask["template"] & { path: string };
  arguments: { template: readonly string[]; task: readonly string[] };
  variables: JsonObject;
  secretVariables: Readonly<Record<string, string>>;
  env: Readonly<Record<string, string>>;
  /** Names of secret variables that must not replace what the operator sets: forwarded variables and those of the app. */
  extraSecrets?: ReadonlySet<string>;
}

/**
 * Returns the arguments of a shell-like app in the order of Semaphore UI: path, the template's arguments, variables as
 * NAME=VALUE sorted by name, the task's arguments. Secret variables are not among them.
 * `path`: the script's path, relative to the working directory
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

/** Returns a string as it is and any other value as JSON. */
function render(value: JsonValue): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/**
 * Returns the whole environment of a shell-like app. Later entries override earlier ones: users cannot set the task details.
 * @throws PrepareError if a secret variable would replace what the operator sets and may not
 */
export function shellEnvironment(
  app: App,
  input: ShellInput,
  base: BaseEnvironment,
  commit: Commit,
): Record<string, string> {
  const operators = { ...base, ...app.env };
  const replaced = [...(input.extraSecrets ?? [])].find((name) => Object.hasOwn(operators, name));
  if (replaced !== undefined)
    throw new PrepareError(
      `Cannot set secret variable ${replaced}: the server sets an environment variable of this name, and allow_override_env of the template does not list it`,
    );
  return {
    ...operators,
    ...input.env,
    ...input.secretVariables,
    ...detailsEnvironment(input, commit),
    ...typeEnvironment(input),
  };
}
