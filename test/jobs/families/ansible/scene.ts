import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type CatalogSchema, CatalogService } from "../../../../gen/signalman/v1/catalog_service_pb.ts";
import { LogStream, type Task } from "../../../../gen/signalman/v1/task_pb.ts";
import {
  type RunTaskRequestSchema,
  TaskService,
  type WatchTaskResponse,
} from "../../../../gen/signalman/v1/task_service_pb.ts";
import { bytesOf, endOf, OPEN_TO_CALLERS, runDemo, watchToEnd } from "../../../support/demo.ts";
import type { TestService } from "../../../support/service.ts";

type Catalog = MessageInitShape<typeof CatalogSchema>;
type Template = NonNullable<Catalog["templates"]>[number];

/** The inventory of tests that need no host. */
export const LOCAL = "here ansible_connection=local ansible_python_interpreter=/usr/bin/python3\n";

/** Project `demo`: a folder with these files, and templates that play a playbook on this machine unless they say otherwise. */
export async function applyPlaybooks(
  service: TestService,
  files: Record<string, string>,
  templates: Record<string, Omit<Template, "name">>,
  more: Catalog = {},
): Promise<string> {
  const folder = join(service.dataDir, "playbooks");
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  await service.client(CatalogService).applyCatalog({
    catalog: {
      project: { name: "demo" },
      ...more,
      repositories: [{ name: "playbooks", url: folder }, ...(more.repositories ?? [])],
      inventories: [{ name: "here", source: { case: "ini", value: LOCAL } }, ...(more.inventories ?? [])],
      templates: Object.entries(templates).map(([name, template]) => ({
        name,
        ...OPEN_TO_CALLERS,
        app: "ansible",
        repository: "playbooks",
        inventory: "here",
        ...template,
      })),
    } as Catalog,
  });
  return folder;
}

/** Result of a task. */
export interface Played {
  task: Task;
  events: WatchTaskResponse[];
  /** Its standard output, without colours. */
  output: string;
  /** Lines of the server about the task. */
  said: string;
}

export async function play(
  service: TestService,
  template: string,
  request: MessageInitShape<typeof RunTaskRequestSchema> = {},
): Promise<Played> {
  const { name } = await runDemo(service, template, request);
  const events = await watchToEnd(service, name);
  const text = (stream: LogStream) => stripVTControlCharacters(bytesOf(events, stream).toString());
  return { task: endOf(events), events, output: text(LogStream.STDOUT), said: text(LogStream.SYSTEM) };
}

export async function resultOf(service: TestService, name: string) {
  const { result } = await service.client(TaskService).getTaskResult({ name });
  return result?.app.case === "ansible" ? result.app.value : undefined;
}
