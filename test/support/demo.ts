import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { CatalogService } from "../../gen/signalman/v1/catalog_service_pb.ts";
import type { ProjectSchema } from "../../gen/signalman/v1/project_pb.ts";
import type { Task } from "../../gen/signalman/v1/task_pb.ts";
import {
  type RunTaskRequestSchema,
  TaskService,
  type WatchTaskResponse,
} from "../../gen/signalman/v1/task_service_pb.ts";
import type { TemplateSchema } from "../../gen/signalman/v1/template_pb.ts";
import type { TestService } from "./service.ts";

type TemplateInit = MessageInitShape<typeof TemplateSchema>;
/** A script's text, or a template with one. */
export type DemoTemplate = string | (TemplateInit & { script: string });

/** Fields of a template whose callers may set every variable. */
export const OPEN_TO_CALLERS = { allowOverrideEnv: ["*"], allowExtraVariables: true };

/** Parts of a service that these functions need. */
export type DemoService = Pick<TestService, "client" | "dataDir">;

/**
 * Makes project `demo` on a service: a folder with one script for each template, which runs it with bash. Callers may set every
 * variable, unless a template says otherwise.
 */
export async function applyDemo(
  service: DemoService,
  templates: Record<string, DemoTemplate>,
  project: MessageInitShape<typeof ProjectSchema> = {},
): Promise<string> {
  const folder = join(service.dataDir, "demo-scripts");
  await mkdir(folder, { recursive: true });
  const made = Object.entries(templates).map(([name, given]) => {
    const { script, ...template } = typeof given === "string" ? { script: given } : given;
    return { name, script, template };
  });
  for (const { name, script } of made) await writeFile(join(folder, name), script);
  await service.client(CatalogService).applyCatalog({
    catalog: {
      project: { name: "demo", ...project },
      repositories: [{ name: "scripts", url: folder }],
      templates: made.map(({ name, template }) => ({
        name,
        app: "bash",
        repository: "scripts",
        path: name,
        ...OPEN_TO_CALLERS,
        ...template,
      })),
    },
  });
  return folder;
}

/** Starts a task of a demo template. */
export async function runDemo(
  service: DemoService,
  template: string,
  request: MessageInitShape<typeof RunTaskRequestSchema> = {},
): Promise<Task> {
  const { task } = await service
    .client(TaskService)
    .runTask({ template: `projects/demo/templates/${template}`, ...request });
  if (!task) throw new Error("RunTask returned no task");
  return task;
}

/** All events of a task up to its end. */
export async function watchToEnd(service: TestService, name: string): Promise<WatchTaskResponse[]> {
  const events: WatchTaskResponse[] = [];
  for await (const event of service.client(TaskService).watchTask({ name })) events.push(event);
  return events;
}

/** The bytes of a stream, as the program wrote them. */
export function bytesOf(events: readonly WatchTaskResponse[], stream: number): Buffer {
  const newline = Buffer.from("\n");
  return Buffer.concat(
    events.flatMap(({ event }) =>
      event.case !== "log"
        ? []
        : event.value.lines
            .filter((line) => line.stream === stream)
            .flatMap(({ content, partial }) => (partial ? [content] : [content, newline])),
    ),
  );
}

/** The task of the last event, which must be `end`. */
export function endOf(events: readonly WatchTaskResponse[]): Task {
  const last = events.at(-1)?.event;
  if (last?.case !== "end" || !last.value.task) throw new Error(`The last event is ${last?.case}`);
  return last.value.task;
}
