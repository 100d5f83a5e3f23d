import { z } from "zod";
import { fullName, ignoredName, nameInFull, segment } from "./names.ts";
import { page } from "./paging.ts";
import { PATTERNS, RESOURCES } from "./resources.ts";
import { free, rule } from "./rule.ts";

/** Rules for the five standard methods of a kind (AIP-131 to 135). `one` and `many`: its names in message names. */
function standard(kind: keyof typeof RESOURCES, one: string, many: string, field: string) {
  const inProject = kind === "projects" ? {} : { parent: fullName(PATTERNS.projects) };
  const resource = RESOURCES[kind];
  const given = <S extends z.ZodType>(schema: S) =>
    rule(schema.optional(), "Required", (value) => value !== undefined);
  const force = kind === "projects" ? { force: free() } : {};
  return {
    [`signalman.v1.Create${one}Request`]: z.object({
      ...inProject,
      [`${field}_id`]: segment(),
      [field]: given(resource(ignoredName())),
    }),
    [`signalman.v1.Get${one}Request`]: z.object({ name: fullName(PATTERNS[kind]) }),
    [`signalman.v1.List${many}Request`]: z.object({ ...inProject, ...page() }),
    [`signalman.v1.Update${one}Request`]: z.object({
      [field]: given(resource(nameInFull(PATTERNS[kind]))),
      update_mask: free(),
    }),
    [`signalman.v1.Delete${one}Request`]: z.object({
      name: fullName(PATTERNS[kind]),
      etag: free(),
      ...force,
    }),
  };
}

export const STANDARD_RULES = {
  ...standard("projects", "Project", "Projects", "project"),
  ...standard("accessKeys", "AccessKey", "AccessKeys", "access_key"),
  ...standard("repositories", "Repository", "Repositories", "repository"),
  ...standard("inventories", "Inventory", "Inventories", "inventory"),
  ...standard("environments", "Environment", "Environments", "environment"),
  ...standard("templates", "Template", "Templates", "template"),
  ...standard("roleBindings", "RoleBinding", "RoleBindings", "role_binding"),
};
