import type { MessageInitShape } from "@bufbuild/protobuf";
import { CatalogService } from "../../../gen/signalman/v1/catalog_service_pb.ts";
import type { HookSchema } from "../../../gen/signalman/v1/hook_pb.ts";
import { HookEvent } from "../../../gen/signalman/v1/hook_pb.ts";
import { EndReasonSchema, type Task, TaskStatusSchema } from "../../../gen/signalman/v1/task_pb.ts";
import { TaskService } from "../../../gen/signalman/v1/task_service_pb.ts";
import { applyDemo, type DemoTemplate, endOf, runDemo, watchToEnd } from "../../support/demo.ts";
import type { TestService } from "../../support/service.ts";
import { textsOf } from "../../watch/events.ts";

export type HookInit = Exclude<MessageInitShape<typeof HookSchema>, { $typeName: string }>;
export const { BEFORE_TASK, AFTER_TASK, ON_SUCCESS, ON_FAILURE } = HookEvent;
export const EVENTS = [BEFORE_TASK, AFTER_TASK, ON_SUCCESS, ON_FAILURE];

export const program = (script: string, app = "bash") => ({
  kind: { case: "program", value: { app, script } } as const,
});
export const http = (value: object) => ({ kind: { case: "http", value } as const });

/** Applies project `demo` with a template for each entry, and access keys of type text: `token`, which hooks may
 * send, and `chat`, which holds a URL. */
export async function applyHooked(
  service: TestService,
  templates: Record<string, DemoTemplate>,
  options: { hooks?: HookInit[]; secret?: string; url?: string } = {},
): Promise<void> {
  const { hooks = [], secret, url } = options;
  const keys = Object.entries({ token: secret, chat: url });
  if (secret !== undefined)
    await service.client(CatalogService).applyCatalog({
      catalog: {
        project: { name: "demo" },
        accessKeys: keys.map(([name, value]) => ({ name, kind: { case: "text", value: { value } } })),
      },
    });
  await applyDemo(service, templates, { hooks });
}

/** A task at its end: in words, with all its lines. */
export async function ended(service: TestService, name: string) {
  const events = await watchToEnd(service, name);
  const task = endOf(events);
  return {
    task,
    ...inWords(task),
    said: textsOf(events).map((line) => line.replace(/^\d+:/, "")),
  };
}

export async function runToEnd(service: TestService, template: string, request = {}) {
  return ended(service, (await runDemo(service, template, request)).name);
}

export function inWords({ status, end }: Task) {
  return {
    status: TaskStatusSchema.value[status]?.localName,
    reason: end ? EndReasonSchema.value[end.reason]?.localName : undefined,
    message: end?.message,
  };
}

export const kill = (service: TestService, name: string) =>
  service.client(TaskService).killTask({ name, gracePeriod: { seconds: 1n } });
