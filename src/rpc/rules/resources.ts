import { z } from "zod";
import { TemplateTypeSchema } from "../../../gen/signalman/v1/template_pb.ts";
import { timeout } from "./durations.ts";
import { known } from "./enums.ts";
import { hooks } from "./hooks.ts";
import { env, envNames, secretEnv, secretEnvironmentVariables, variables } from "./maps.ts";
import { catalogName, optionalCatalogName, tag } from "./names.ts";
import { isFolderUrl, isInside, isRemoteUrl, receivedUrl } from "./paths.ts";
import { roles } from "./roles.ts";
import { free, rule, ruleAt } from "./rule.ts";
import { survey } from "./survey.ts";
import { ansibleSettings, makeSettings, terraformSettings, vaults } from "./templates.ts";
import { args, hasAtMost, int, oneOf, required, smallText, textUpTo } from "./values.ts";

/** Patterns of resource names, by kind. */
export const PATTERNS = {
  projects: "projects/{project}",
  accessKeys: "projects/{project}/accessKeys/{key}",
  repositories: "projects/{project}/repositories/{repository}",
  inventories: "projects/{project}/inventories/{inventory}",
  environments: "projects/{project}/environments/{environment}",
  templates: "projects/{project}/templates/{template}",
  roleBindings: "projects/{project}/roleBindings/{binding}",
} as const;

/** Output-only fields: the server sets them and ignores the values of callers (AIP-203). */
const outputOnly = () => ({ etag: free(), create_time: free(), update_time: free() });
const described = () => ({ description: textUpTo(1000) });

const project = () => ({
  ...described(),
  max_parallel_tasks: int("0 to 10000", 0, 10_000),
  ...outputOnly(),
  hooks: hooks(),
});

const PRIVATE_KEY = /^-----BEGIN ([A-Z]+ )?PRIVATE KEY-----\s/;
const privateKey = () =>
  rule(
    z.string(),
    "A private key as `ssh-keygen` writes it, from `-----BEGIN` on",
    (text) => text === "" || PRIVATE_KEY.test(text.trimStart()),
  );
const ssh = z.object({ login: free(), private_key: privateKey(), passphrase: free() });
const login = z.object({ login: free(), password: free() });
const accessKey = () => ({
  ...described(),
  ssh: ssh.optional(),
  login_password: login.optional(),
  text: z.object({ value: free() }).optional(),
  ...outputOnly(),
});

const repository = () => ({
  ...described(),
  url: ruleAt(
    z.string(),
    "Required. A folder on the server (absolute path or `file://` URL) or a remote git repository (`https://`, `http://` or `ssh://` URL, or `user@host:path`), without a password and for HTTP without a user: logins and tokens belong in the access key that `access_key` names",
    (url) => (isFolderUrl(url) || isRemoteUrl(url) ? [] : [{ path: [], got: receivedUrl(url) }]),
  ),
  git_branch: free(),
  ...outputOnly(),
  access_key: optionalCatalogName(PATTERNS.accessKeys),
  depth: int("0 to 1000000", 0, 1_000_000),
  lfs: free(),
  skip_submodules: free(),
  copy_objects: free(),
});

const inventoryFile = z.object({
  repository: optionalCatalogName(PATTERNS.repositories, "the template's"),
  path: rule(
    z.string(),
    "Required. Path relative to the root of the repository; it must stay inside the repository",
    isInside,
  ),
});
const inventory = () => ({
  ...described(),
  ini: smallText(),
  yaml: smallText(),
  file: inventoryFile.optional(),
  workspace: rule(
    z.string().optional(),
    "at most 90 characters",
    (name) => name === undefined || (hasAtMost(90, name) && /^[A-Za-z0-9_.~][A-Za-z0-9_.~-]*$/.test(name)),
    "letters, digits and _ . ~ -, as Terraform has it",
  ),
  ssh_key: optionalCatalogName(PATTERNS.accessKeys),
  become_key: optionalCatalogName(PATTERNS.accessKeys),
  ...outputOnly(),
});

const environment = () => ({
  ...described(),
  variables: variables(),
  env: env(),
  ...outputOnly(),
  secret_variables: secretEnvironmentVariables(),
  secret_env: secretEnv(),
  secret_variable_names: free(),
  secret_env_names: free(),
});

const template = () => ({
  ...described(),
  app: required(),
  repository: catalogName(PATTERNS.repositories, "Required. "),
  path: rule(
    z.string(),
    "Required. File or folder to run, relative to the root of the repository; it must stay inside the repository",
    isInside,
  ),
  environment: optionalCatalogName(PATTERNS.environments),
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
  inventory: optionalCatalogName(PATTERNS.inventories),
  allow_override_inventory: free(),
  vaults: vaults(),
  start_version: textUpTo(100, "At most 100 characters"),
  build_template: optionalCatalogName(PATTERNS.templates),
  autorun: free(),
  confirm_timeout: timeout(),
  ansible: ansibleSettings.optional(),
  terraform: terraformSettings.optional(),
  make: makeSettings.optional(),
  hooks: hooks(),
  working_dir: rule(
    z.string(),
    "relative to the root of the repository; it must stay inside the repository",
    (path) => path === "" || isInside(path),
  ),
  git_access: free(),
  allow_override_env: envNames(),
  allow_extra_variables: free(),
  confirm_by_other: free(),
  node_tags: rule(z.array(tag()), "At most 20", (tags) => tags.length <= 20),
});

const roleBinding = () => ({
  ...described(),
  account: catalogName("accounts/{account}", "Required. "),
  roles: rule(roles(), "Required", (list) => list.length > 0),
  template: optionalCatalogName(PATTERNS.templates, "the whole project"),
  ...outputOnly(),
});

const ONE_SOURCE = "One of `ini`, `yaml`, `file` and `workspace` is required";

/** Rules of each kind of resource. The caller passes the rule for the name, which differs between requests. */
export const RESOURCES = {
  projects: (name: z.ZodType<string>) => z.object({ name, ...project() }),
  accessKeys: (name: z.ZodType<string>) => z.object({ name, ...accessKey() }),
  repositories: (name: z.ZodType<string>) => z.object({ name, ...repository() }),
  inventories: (name: z.ZodType<string>) =>
    oneOf(z.object({ name, ...inventory() }), ONE_SOURCE, ["ini", "yaml", "file", "workspace"]),
  environments: (name: z.ZodType<string>) => z.object({ name, ...environment() }),
  templates: (name: z.ZodType<string>) => z.object({ name, ...template() }),
  roleBindings: (name: z.ZodType<string>) => z.object({ name, ...roleBinding() }),
};
