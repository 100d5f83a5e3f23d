import { z } from "zod";
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
});

const catalog = ruleAt(parts, "A project and all that belongs to it", foreignNames);

export const CATALOG_RULES = {
  "signalman.v1.ApplyCatalogRequest": z.object({
    catalog: rule(catalog.optional(), "Required", (value) => value !== undefined),
    prune: free(),
    validate_only: free(),
  }),
  "signalman.v1.ExportCatalogRequest": z.object({ name: fullName(PATTERNS.projects) }),
};

/** Full names that lead to another project than the catalog's own. */
function foreignNames(catalog: z.output<typeof parts>): Breach[] {
  if (catalog.project === undefined) return [];
  const own = `projects/${lastPart(catalog.project.name)}/`;
  const foreign = (path: Breach["path"], name = ""): Breach[] =>
    name.includes("/") && !name.startsWith(own)
      ? [{ path, got: `${received(name)}, of another project` }]
      : [];
  const hooks = (path: Breach["path"], list: typeof catalog.project.hooks) =>
    list.flatMap(({ http }, i) =>
      foreign([...path, "hooks", i, "http", "secret_header_key"], http?.secret_header_key),
    );
  return [
    ...hooks(["project"], catalog.project.hooks),
    ...catalog.access_keys.flatMap((k, i) => foreign(["access_keys", i, "name"], k.name)),
    ...catalog.repositories.flatMap((r, i) => [
      ...foreign(["repositories", i, "name"], r.name),
      ...foreign(["repositories", i, "access_key"], r.access_key),
    ]),
    ...catalog.inventories.flatMap((v, i) => [
      ...foreign(["inventories", i, "name"], v.name),
      ...foreign(["inventories", i, "file", "repository"], v.file?.repository),
      ...foreign(["inventories", i, "ssh_key"], v.ssh_key),
      ...foreign(["inventories", i, "become_key"], v.become_key),
    ]),
    ...catalog.environments.flatMap((e, i) => foreign(["environments", i, "name"], e.name)),
    ...catalog.templates.flatMap((t, i) => [
      ...foreign(["templates", i, "name"], t.name),
      ...foreign(["templates", i, "repository"], t.repository),
      ...foreign(["templates", i, "environment"], t.environment),
      ...foreign(["templates", i, "inventory"], t.inventory),
      ...foreign(["templates", i, "build_template"], t.build_template),
      ...t.vaults.flatMap(({ key }, v) => foreign(["templates", i, "vaults", v, "key"], key)),
      ...hooks(["templates", i], t.hooks),
    ]),
  ];
}
