import { create, type JsonObject } from "@bufbuild/protobuf";
import { type TerraformParams, TerraformParamsSchema } from "../../../../gen/signalman/v1/task_pb.ts";
import type { BackendOverride, Template } from "../../../../gen/signalman/v1/template_pb.ts";
import type { FieldViolation } from "../../../task/errors.ts";
import type { Asked, Override, Params } from "../family.ts";

/** Settings of a call of Terraform, OpenTofu or Terragrunt. */
export interface TerraformSettings {
  planOnly: boolean;
  destroy: boolean;
  autoApprove: boolean;
  upgrade: boolean;
  reconfigure: boolean;
  /** Arguments by stage (`init`, `plan`, `apply`), which replace the template's arguments. */
  stageArguments: Readonly<Record<string, readonly string[]>>;
  backend: BackendOverride | undefined;
}

/** Returns the template's settings, overridden by the task's params. The caller has checked that the overrides are allowed. */
export function terraformSettings(template: Template, params: Params): TerraformSettings {
  const own = template.settings.case === "terraform" ? template.settings.value : undefined;
  const asked = params.case === "terraform" ? params.value : create(TerraformParamsSchema);
  const { planOnly, destroy, autoApprove, upgrade, reconfigure } = asked;
  const stages = Object.entries(own?.stageArguments ?? {});
  return {
    planOnly,
    destroy,
    autoApprove: autoApprove || own?.autoApprove === true,
    upgrade,
    reconfigure,
    stageArguments: Object.fromEntries(stages.map(([stage, of]) => [stage, of.arguments])),
    backend: own?.backend,
  };
}

export const TERRAFORM_OVERRIDES: readonly Override[] = [
  override("destroy", "allowDestroy", ({ destroy }) => destroy),
  override("auto_approve", "allowAutoApprove", ({ autoApprove }) => autoApprove),
];

function override(
  field: string,
  flag: "allowDestroy" | "allowAutoApprove",
  given: (params: TerraformParams) => boolean,
): Override {
  return {
    field: `terraform.${field}`,
    allowedBy: `terraform.allow_${field}`,
    allowed: ({ settings }) => settings.case === "terraform" && settings.value[flag],
    given: ({ params }) => params.case === "terraform" && given(params.value),
  };
}

/** Refuses arguments by which a caller could get around `allowDestroy`. */
export function detours({ name, settings }: Template, { arguments: args }: Asked): FieldViolation[] {
  const mayDestroy = settings.case === "terraform" && settings.value.allowDestroy;
  const destroying = [...args.entries()].filter(([, arg]) => !mayDestroy && /^--?destroy(=|$)/.test(arg));
  return destroying.map(([index]) => ({
    field: `arguments[${index}]`,
    description: `${name} does not allow its tasks to destroy: it would have to set terraform.allow_destroy`,
  }));
}

export function checkTerraformTemplate({ app, workingDir, gitAccess }: JsonObject): FieldViolation[] {
  const not = `Not for app ${JSON.stringify(app)}`;
  return [
    ...(workingDir === undefined ? [] : [{ field: "working_dir", description: `${not}; set \`path\`` }]),
    ...(gitAccess === undefined ? [] : [{ field: "git_access", description: not }]),
  ];
}

export function checkTerraformInventory({ workspace }: JsonObject, app: string): string | undefined {
  return workspace === undefined ? `must be a workspace for app ${app}` : undefined;
}
