import { z } from "zod";
import { type AnyKind, KINDS } from "../../store/catalog/kinds.ts";
import { CATALOG_FIELDS, referencesOf } from "../catalog/references.ts";
import { lastPart } from "../names.ts";
import { catalogName, fullName } from "./names.ts";
import { PATTERNS, RESOURCES } from "./resources.ts";
import { type Breach, free, received, rule, ruleAt } from "./rule.ts";
import { repeated } from "./survey.ts";

const inCatalog = <K extends keyof typeof RESOURCES>(kind: K) =>
  RESOURCES[kind](catalogName(PATTERNS[kind])) as ReturnType<(typeof RESOURCES)[K]>;

function many<S extends z.ZodType<{ name: string }>>(item: S) {
  const few = rule(z.array(item), "At most 1000", (items) => items.length <= 1000);
  return ruleAt(few, "each name once", (items) => repeated(items, lastPart));
}

const parts = z.object({
  project: rule(inCatalog("projects").optional(), "Required", (value) => value !== undefined),
  repositories: many(inCatalog("repositories")),
  environments: many(inCatalog("environments")),
  templates: many(inCatalog("templates")),
  inventories: many(inCatalog("inventories")),
  access_keys: many(inCatalog("accessKeys")),
  role_bindings: many(inCatalog("roleBindings")),
});

const catalog = ruleAt(parts, "a full name must be of this project", foreignNames);

export const CATALOG_RULES = {
  "signalman.v1.ApplyCatalogRequest": z.object({
    catalog: rule(catalog.optional(), "Required", (value) => value !== undefined),
    prune: free(),
    validate_only: free(),
  }),
  "signalman.v1.ExportCatalogRequest": z.object({ name: fullName(PATTERNS.projects) }),
};

/** Returns a breach for each full name in the catalog that belongs to another project. */
function foreignNames(catalog: z.output<typeof parts>): Breach[] {
  if (catalog.project === undefined) return [];
  const own = `projects/${lastPart(catalog.project.name)}/`;
  const foreign = (path: Breach["path"], name: string): Breach[] =>
    name.includes("/") && !name.startsWith(own)
      ? [{ path, got: `${received(name)}, of another project` }]
      : [];
  const named = (kind: AnyKind, resource: object, at: Breach["path"]) =>
    referencesOf(kind, resource, (field) => field).flatMap(({ path, kind: target, name }) =>
      target === "accounts" ? [] : foreign([...at, ...path], name),
    );
  return [
    ...named("projects", catalog.project, ["project"]),
    ...KINDS.flatMap((kind) =>
      catalog[CATALOG_FIELDS[kind]].flatMap((resource, index) => {
        const at = [CATALOG_FIELDS[kind], index];
        return [...foreign([...at, "name"], resource.name), ...named(kind, resource, at)];
      }),
    ),
  ];
}
