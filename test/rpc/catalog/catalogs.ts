import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type ApplyCatalogResponse,
  CatalogAction,
  type CatalogSchema,
  CatalogService,
} from "../../../gen/signalman/v1/catalog_service_pb.ts";
import { SurveyType, TemplateType } from "../../../gen/signalman/v1/template_pb.ts";
import type { InMemoryApi } from "../../support/in-memory.ts";

export type Catalog = Exclude<MessageInitShape<typeof CatalogSchema>, { $typeName: string }>;
type Options = { prune?: boolean; validateOnly?: boolean };

/**
 * Returns functions that call ApplyCatalog of a service: `call` returns the response, `apply` its changes as `ACTION name
 * fields`, without the project's name.
 */
export function applier(service: Pick<InMemoryApi, "client">) {
  const call = (catalog: Catalog, options: Options = {}): Promise<ApplyCatalogResponse> =>
    service.client(CatalogService).applyCatalog({ catalog, ...options });
  return {
    call,
    apply: async (catalog: Catalog, options?: Options) => (await call(catalog, options)).changes.map(words),
  };
}

function words({ name, action, fields }: ApplyCatalogResponse["changes"][number]): string {
  const word = Object.entries(CatalogAction).find(([, value]) => value === action)?.[0];
  return [word, name.split("/").slice(2).join("/") || "project", ...fields].join(" ");
}

/** Returns a catalog with one resource of each kind. */
export const full = (name: string): Catalog => ({
  project: { name, description: "Everything", maxParallelTasks: 4 },
  accessKeys: [{ name: "token", kind: { case: "text", value: { value: "open sesame" } } }],
  repositories: [{ name: "scripts", url: "/srv/scripts", gitBranch: "main" }],
  inventories: [{ name: "hosts", source: { case: "ini", value: "localhost\n" } }],
  environments: [
    { name: "dev", variables: { z: 1, a: { y: [true, null], x: "x" } }, env: { B: "2", A: "1" } },
  ],
  templates: [
    {
      name: "hello",
      app: "bash",
      repository: "scripts",
      path: "hello.sh",
      environment: "dev",
      arguments: ["-v"],
      survey: [{ name: "n", type: SurveyType.INT, default: "7" }],
      type: TemplateType.BUILD,
      allowParallelTasks: true,
      runTimeout: { seconds: 90n },
    },
  ],
});
/** Names of the resources of `full`, in the form of changes. */
export const NAMES = [
  "project",
  "accessKeys/token",
  "repositories/scripts",
  "inventories/hosts",
  "environments/dev",
  "templates/hello",
];
