import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Catalog } from "../../../gen/signalman/v1/catalog_service_pb.ts";
import { outdatedNames, REFUSED_FROM } from "../../submission/outdated-names.ts";
import type { FieldViolation } from "../../task/errors.ts";
import { lastPart } from "../names.ts";
import { isFolderUrl } from "../rules/paths.ts";

export interface CatalogWarningDeps {
  /** Names of the apps of this server. */
  appNames: readonly string[];
  /** Whether tasks run on this server, so that they would use its folders. */
  runsTasks: boolean;
}

/** Returns warnings for apps and folders of a catalog that this server lacks, although other servers may have them. */
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
            description: `unknown app ${app} on this server; it has ${appNames.toSorted().join(", ")}`,
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
  return [...unknownApps, ...missingFolders, ...outdated(catalog)];
}

/** Returns warnings for names that templates keep because they were stored before the names were refused. */
function outdated(catalog: Catalog | undefined): FieldViolation[] {
  const environments = new Map(catalog?.environments.map((one) => [lastPart(one.name), one.variables]));
  return (catalog?.templates ?? []).flatMap((template, at) => {
    const inherited = environments.get(lastPart(template.environment));
    return outdatedNames(template, { ...inherited, ...template.variables }).map(
      ({ field, name, description }) => ({
        field: `catalog.templates[${at}].${Object.hasOwn(template.variables ?? {}, name) || field.startsWith("survey") ? field : "environment"}`,
        description: `${JSON.stringify(name)}: ${description}; refused from ${REFUSED_FROM} on`,
      }),
    );
  });
}

const folderOf = (url: string): string => (url.startsWith("file:") ? fileURLToPath(url) : url);
