import { create } from "@bufbuild/protobuf";
import {
  AppSchema,
  IsolationSchema,
  type ListAppsResponse,
  ListAppsResponseSchema,
} from "../../gen/signalman/v1/app_service_pb.ts";
import type { AppReport } from "../jobs/apps/inspect-apps.ts";

export interface IsolationReport {
  mode: string;
  /** Why tasks are not isolated. */
  problem?: string | undefined;
  /** Users as whom tasks run, by scope; none: as the server's. */
  users: { scope: string; user: string }[];
}

export interface ListAppsDeps {
  /** Returns the apps of this server, ordered by name. */
  inspectApps(): Promise<readonly AppReport[]>;
  /** How this server isolates tasks; undefined: it runs none. */
  isolation: IsolationReport | undefined;
}

export async function listApps(deps: ListAppsDeps): Promise<ListAppsResponse> {
  const reports = await deps.inspectApps();
  const apps = reports.map(({ name, app, path, version, problem }) =>
    create(AppSchema, {
      name,
      command: app.command,
      arguments: [...app.args],
      available: problem === undefined,
      path,
      version,
      problem,
    }),
  );
  return create(ListAppsResponseSchema, { apps, isolation: create(IsolationSchema, deps.isolation ?? {}) });
}
