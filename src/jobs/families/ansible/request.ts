import { create, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { type AnsibleParams, AnsibleParamsSchema } from "../../../../gen/signalman/v1/task_pb.ts";
import type { Template } from "../../../../gen/signalman/v1/template_pb.ts";
import type { FieldViolation } from "../../../task/errors.ts";
import type { Asked, Override, Params } from "../family.ts";
import type { AnsibleSettings } from "./input.ts";

/** Returns the template's settings, overridden by the task's params. The caller has checked that the overrides are allowed. */
export function ansibleSettings(template: Template, params: Params): AnsibleSettings {
  const own = template.settings.case === "ansible" ? template.settings.value : undefined;
  const asked = params.case === "ansible" ? params.value : create(AnsibleParamsSchema);
  const list = (field: "limit" | "tags" | "skipTags") =>
    asked[field].length > 0 ? asked[field] : (own?.[field] ?? []);
  return {
    limit: list("limit"),
    tags: list("tags"),
    skipTags: list("skipTags"),
    verbosity: asked.verbosity ?? own?.verbosity ?? 0,
    check: asked.check,
    diff: asked.diff,
    refreshRequirements: asked.refreshRequirements,
  };
}

export const ANSIBLE_OVERRIDES: readonly Override[] = [
  override("limit", "allowOverrideLimit", ({ limit }) => limit.length > 0),
  override("tags", "allowOverrideTags", ({ tags }) => tags.length > 0),
  override("skip_tags", "allowOverrideSkipTags", ({ skipTags }) => skipTags.length > 0),
  override("verbosity", "allowOverrideVerbosity", ({ verbosity }) => verbosity !== undefined),
];

function override(
  field: string,
  flag: "allowOverrideLimit" | "allowOverrideTags" | "allowOverrideSkipTags" | "allowOverrideVerbosity",
  given: (params: AnsibleParams) => boolean,
): Override {
  return {
    field: `ansible.${field}`,
    allowedBy: `ansible.allow_override_${field}`,
    allowed: ({ settings }) => settings.case === "ansible" && settings.value[flag],
    given: ({ params }) => params.case === "ansible" && given(params.value),
  };
}

/** Variables that Ansible sets; some of them are overridden by extra variables, and `inventory_hostname` names the host to connect to. */
const SET_BY_ANSIBLE = new Set(
  (
    "environment group_names groups hostvars inventory_dir inventory_file inventory_hostname inventory_hostname_short omit " +
    "play_hosts playbook_dir role_name role_names role_path vars"
  ).split(" "),
);

/** Returns what a variable of this name means to Ansible itself; undefined: nothing. */
export function meaningToAnsible(name: string): string | undefined {
  if (/^_?ansible_/.test(name)) return "configures how Ansible connects and runs";
  return SET_BY_ANSIBLE.has(name) ? "is set by Ansible, which finds hosts and files by it" : undefined;
}

/**
 * Refuses Jinja expressions in the names of variables and of objects in their values. Ansible does not evaluate values, which
 * are tagged `!unsafe`, but it does evaluate names.
 */
export function expressionNames({ app }: Template, { variables }: Asked): FieldViolation[] {
  return Object.entries(variables)
    .filter(([name, value]) => namesHold(/\{[{%#]/, { [name]: value }))
    .map(([name]) => ({
      field: `variables[${JSON.stringify(name)}]`,
      description: `names must not contain {{, {% or {#, which app ${app} would evaluate`,
    }));
}

/** Whether a name in an object, at any depth, matches the pattern. */
function namesHold(pattern: RegExp, value: JsonValue): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some((item) => namesHold(pattern, item));
  return Object.entries(value).some(([name, inner]) => pattern.test(name) || namesHold(pattern, inner));
}

export function checkAnsibleTemplate({ inventory, gitAccess }: JsonObject): FieldViolation[] {
  return [
    ...(inventory === undefined ? [{ field: "inventory", description: "Required for app ansible" }] : []),
    ...(gitAccess === undefined ? [] : [{ field: "git_access", description: "Not for app ansible" }]),
  ];
}

export function checkAnsibleInventory({ workspace }: JsonObject, app: string): string | undefined {
  return workspace === undefined ? undefined : `must hold hosts, not a workspace, for app ${app}`;
}
