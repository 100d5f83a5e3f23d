import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { type HookEvent, HookEventSchema } from "../../../gen/signalman/v1/hook_pb.ts";
import type { TaskOutcome, TaskRecord } from "../../task/types.ts";

/** Facts of a task for its hooks, by the names that the contract gives them; an unknown fact is empty. */
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

/** Name of an event as users write it: `before_task` for HOOK_EVENT_BEFORE_TASK. */
const wordOf = (event: HookEvent) => HookEventSchema.value[event]?.localName.toLowerCase() ?? "";

/** Returns the facts of a task; `outcome` undefined: the task has not begun, and its status is STARTING. */
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
 * Replaces `{{fact}}` and `{{variables.NAME}}` in all texts of a body, except in names of fields. An unknown
 * placeholder stays as it is. A variable that does not exist is replaced by an empty text, one that is not a text by
 * its JSON.
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
