import type { MessageShape } from "@bufbuild/protobuf";
import { scopesOf } from "../../access/rights.ts";
import type { AnyKind, Resource } from "../../store/catalog/kinds.ts";
import type { ResourceQuery } from "../../store/catalog/resources.ts";
import type { Call } from "../call.ts";
import { fullName, parseResourceName } from "../names.ts";
import { pageOf, pageSize, readPageToken } from "../query-token.ts";
import { patternOf } from "../rules/names.ts";
import { readPermission } from "../targets.ts";
import { messageOf, type Schemas } from "./schemas.ts";

export interface ReadResourcesDeps {
  getResource(kind: AnyKind, project: string, name: string): Promise<Resource>;
  listResources(kind: AnyKind, query: ResourceQuery): Promise<Resource[]>;
}

const NAME = patternOf("{name}");

/** Returns Get and List of one kind. */
export function resourceReader<K extends keyof Schemas>(deps: ReadResourcesDeps, kind: K) {
  return {
    async get(request: { name: string }): Promise<MessageShape<Schemas[K]>> {
      const { project, name } = parseResourceName(request.name);
      return messageOf(kind, request.name, await deps.getResource(kind, project, name));
    },
    async list(
      request: { parent?: string; pageSize: number; pageToken: string },
      { caller }: Pick<Call, "caller">,
    ) {
      const { parent = "" } = request;
      const { project } = parseResourceName(parent);
      const limit = pageSize(request.pageSize);
      const query = [kind, parent];
      const after = readPageToken(request.pageToken, query, NAME);
      const scopes = scopesOf(caller, readPermission(kind));
      const rows = await deps.listResources(kind, { project, scopes, after, limit: limit + 1 });
      const { page, nextPageToken } = pageOf(rows, limit, query, ({ name }) => name);
      const resources = page.map((row) => messageOf(kind, fullName(kind, project, row.name), row));
      return { resources, nextPageToken };
    },
  };
}
