import { isAbsolute, normalize } from "node:path/posix";
import { z } from "zod";
import { TemplateTypeSchema } from "../../../gen/signalman/v1/template_pb.ts";
import { lastPart } from "../names.ts";
import { timeout } from "./durations.ts";
import { known } from "./enums.ts";
import { env, variables } from "./maps.ts";
import { catalogName, optionalCatalogName } from "./names.ts";
import { type Breach, free, received, rule, ruleAt } from "./rule.ts";
import { repeated, survey } from "./survey.ts";
import { args, int, required, textUpTo } from "./values.ts";

const PROJECT = "projects/{project}";
const REPOSITORY = `${PROJECT}/repositories/{repository}`;
const ENVIRONMENT = `${PROJECT}/environments/{environment}`;

/** Set by the service; what a caller sends in them is passed over (AIP-203). */
const outputOnly = () => ({ etag: free(), create_time: free(), update_time: free() });
const named = (pattern: string) => ({
  name: catalogName(pattern),
  description: textUpTo(1000),
});

const project = z.object({
  ...named(PROJECT),
  max_parallel_tasks: int("0 to 10000", 0, 10_000),
  ...outputOnly(),
});

const repository = z.object({
  ...named(REPOSITORY),
  url: rule(z.string(), "Required. A folder on the server, by absolute path or `file://` URL", isFolderUrl),
  git_branch: free(),
  ...outputOnly(),
});

const environment = z.object({ ...named(ENVIRONMENT), variables: variables(), env: env(), ...outputOnly() });

const template = z.object({
  ...named(`${PROJECT}/templates/{template}`),
  app: required(),
  repository: catalogName(REPOSITORY, "Required. "),
  path: rule(
    z.string(),
    "Required. What to run, relative to the root of the repository; it may not lead out of it",
    isInside,
  ),
  environment: optionalCatalogName(ENVIRONMENT),
  arguments: args(),
  variables: variables(),
  env: env(),
  survey: survey(),
  git_branch: free(),
  type: known(TemplateTypeSchema, { unspecified: true }),
  allow_parallel_tasks: free(),
  allow_override_arguments: free(),
  allow_override_git_branch: free(),
  queue_timeout: timeout(),
  run_timeout: timeout(),
  idle_timeout: timeout(),
  ...outputOnly(),
});

function many<S extends z.ZodObject<{ name: z.ZodString }>>(item: S) {
  const few = rule(z.array(item), "At most 1000", (items) => items.length <= 1000);
  return ruleAt(few, "each name once", (items) => repeated(items, lastPart));
}

const parts = z.object({
  project: rule(project.optional(), "Required", (value) => value !== undefined),
  repositories: many(repository),
  environments: many(environment),
  templates: many(template),
});

const catalog = ruleAt(parts, "A project and all that belongs to it", foreignNames);

export const CATALOG_RULES = {
  "signalman.v1.ApplyCatalogRequest": z.object({
    catalog: rule(catalog.optional(), "Required", (value) => value !== undefined),
    prune: free(),
    validate_only: free(),
  }),
};

/** Full names that lead to another project than the catalog's own. */
function foreignNames({ project, repositories, environments, templates }: z.output<typeof parts>): Breach[] {
  if (project === undefined) return [];
  const own = `projects/${lastPart(project.name)}/`;
  const foreign = (path: Breach["path"], name: string): Breach[] =>
    name.includes("/") && !name.startsWith(own)
      ? [{ path, got: `${received(name)}, of another project` }]
      : [];
  return [
    ...repositories.flatMap((r, i) => foreign(["repositories", i, "name"], r.name)),
    ...environments.flatMap((e, i) => foreign(["environments", i, "name"], e.name)),
    ...templates.flatMap((t, i) => [
      ...foreign(["templates", i, "name"], t.name),
      ...foreign(["templates", i, "repository"], t.repository),
      ...foreign(["templates", i, "environment"], t.environment),
    ]),
  ];
}

function isFolderUrl(url: string): boolean {
  if (url.includes("\0")) return false;
  if (isAbsolute(url)) return true;
  if (!url.startsWith("file:///") || !URL.canParse(url)) return false;
  const { search, hash, pathname } = new URL(url);
  return search === "" && hash === "" && !/%2f|%00/i.test(pathname);
}

function isInside(path: string): boolean {
  if (path === "" || path.includes("\0") || isAbsolute(path)) return false;
  const inner = normalize(path);
  return inner !== ".." && !inner.startsWith("../");
}
