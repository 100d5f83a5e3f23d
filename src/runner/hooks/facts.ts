import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { type HookEvent, HookEventSchema } from "../../../gen/signalman/v1/hook_pb.ts";
import type { TaskOutcome, TaskRecord } from "../../task/types.ts";

/** What hooks are told of a task, by the names of the contract; empty where there is nothing to tell. */
export interface Facts {
  task: string;
  template: string;
  project: string;
  app: string;
  event: string;
  status: string;
  reason: string;
  message: string;
  commit_hash: string;
  version: string;
}

/** `before_task` for HOOK_EVENT_BEFORE_TASK. */
const wordOf = (event: HookEvent) => HookEventSchema.value[event]?.localName.toLowerCase() ?? "";

/** Without an outcome the task has not begun. */
export function factsOf(
  task: Pick<TaskRecord, "id" | "project" | "template" | "app" | "version" | "incomingVersion">,
  event: HookEvent,
  commitHash: string,
  outcome: TaskOutcome | undefined,
): Facts {
  const project = `projects/${task.project}`;
  return {
    task: `${project}/tasks/${task.id}`,
    template: `${project}/templates/${task.template}`,
    project,
    app: task.app,
    event: wordOf(event),
    status: outcome?.status ?? "STARTING",
    reason: outcome?.reason ?? "",
    message: outcome?.message ?? "",
    commit_hash: commitHash,
    version: task.version || task.incomingVersion,
  };
}

/**
 * A body with its placeholders replaced in all texts, names of fields excepted. What is no placeholder of ours stays; a
 * variable that is not there is empty, one that is no text is JSON.
 */
export function fillIn(body: JsonValue, facts: Facts, variables: JsonObject): JsonValue {
  if (typeof body === "string")
    return body.replace(/\{\{\s*([\w.]+)\s*\}\}/g, (whole, name: string) => lookUp(name) ?? whole);
  if (Array.isArray(body)) return body.map((item) => fillIn(item, facts, variables));
  if (typeof body !== "object" || body === null) return body;
  return Object.fromEntries(
    Object.entries(body).map(([name, value]) => [name, fillIn(value, facts, variables)]),
  );

  function lookUp(name: string): string | undefined {
    if (Object.hasOwn(facts, name)) return facts[name as keyof Facts];
    if (!name.startsWith("variables.")) return undefined;
    const variable = name.slice("variables.".length);
    const value = Object.hasOwn(variables, variable) ? variables[variable] : "";
    return typeof value === "string" ? value : JSON.stringify(value);
  }
}
