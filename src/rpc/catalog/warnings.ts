import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Catalog } from "../../../gen/signalman/v1/catalog_service_pb.ts";
import type { FieldViolation } from "../../task/errors.ts";
import { isFolderUrl } from "../rules/paths.ts";

export interface CatalogWarningDeps {
  /** The names of the apps that this server knows. */
  appNames: readonly string[];
  /** Whether tasks run on this server, so that its folders are theirs. */
  runsTasks: boolean;
}

/** What of a catalog would fail on this server alone: apps that it does not know, and folders that are not there. */
export function catalogWarnings(
  { appNames, runsTasks }: CatalogWarningDeps,
  catalog: Catalog | undefined,
): FieldViolation[] {
  const unknownApps = (catalog?.templates ?? []).flatMap(({ app }, at) =>
    appNames.includes(app)
      ? []
      : [
          {
            field: `catalog.templates[${at}].app`,
            description: `this server knows no app ${app}; it knows ${appNames.toSorted().join(", ")}`,
          },
        ],
  );
  const missingFolders = (catalog?.repositories ?? []).flatMap(({ url }, at) =>
    !runsTasks || !isFolderUrl(url) || existsSync(folderOf(url))
      ? []
      : [
          {
            field: `catalog.repositories[${at}].url`,
            description: `there is no folder ${url} on this server`,
          },
        ],
  );
  return [...unknownApps, ...missingFolders];
}

const folderOf = (url: string): string => (url.startsWith("file:") ? fileURLToPath(url) : url);
